//! Which methods each path has, for `Allow`.

use poem_openapi::OpenApi;

/// The paths there are and their methods.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// Paths without parameters stand before those with some.
    paths: Vec<Path>,
}

#[derive(Clone, Debug)]
struct Path {
    /// As in the OpenAPI document: a parameter stands in braces.
    template: String,
    /// As `GET, HEAD, POST`.
    allow: String,
}

impl Methods {
    /// The paths of an API, and others that have GET alone.
    #[must_use]
    pub fn new<Api: OpenApi>(read_only: &[&str]) -> Self {
        let documented = Api::meta().into_iter().flat_map(|api| api.paths);
        let mut paths: Vec<_> = documented
            .map(|path| {
                let methods = path.operations.iter().map(|operation| &operation.method);
                Path {
                    template: path.path,
                    allow: allow(methods.map(|method| method.as_str())),
                }
            })
            .collect();
        paths.extend(read_only.iter().map(|path| Path {
            template: (*path).to_owned(),
            allow: allow(std::iter::once("GET")),
        }));
        paths.sort_by_key(|path| path.template.contains('{'));
        Self { paths }
    }

    /// The methods of a path, if there is such a path.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<&str> {
        let found = self.paths.iter().find(|known| fits(&known.template, path));
        found.map(|known| known.allow.as_str())
    }
}

/// A path that can be read can be asked for its head, and every path for its options.
fn allow<'a>(methods: impl Iterator<Item = &'a str>) -> String {
    let mut all = vec!["OPTIONS"];
    for method in methods {
        all.push(method);
        if method == "GET" {
            all.push("HEAD");
        }
    }
    all.sort_unstable();
    all.join(", ")
}

fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let fits = template.split('/').all(|expected| {
        parts
            .next()
            .is_some_and(|part| expected == part || (expected.starts_with('{') && !part.is_empty()))
    });
    fits && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_takes_one_part_of_a_path() {
        let rows = [
            ("/orders", "/orders", true),
            ("/orders", "/orders/", false),
            ("/orders", "/orders/a", false),
            ("/orders/{order_id}", "/orders/a", true),
            ("/orders/{order_id}", "/orders/", false),
            ("/orders/{order_id}", "/orders/a/cancel", false),
            ("/orders/{order_id}/cancel", "/orders/a/cancel", true),
        ];
        for (template, path, expected) in rows {
            assert_eq!(fits(template, path), expected, "{template} {path}");
        }
    }

    #[test]
    fn what_can_be_read_has_a_head() {
        assert_eq!(
            allow(["POST", "GET"].into_iter()),
            "GET, HEAD, OPTIONS, POST"
        );
        assert_eq!(allow(["POST"].into_iter()), "OPTIONS, POST");
    }
}
