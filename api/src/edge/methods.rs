//! Which methods each path has, for `Allow`, and what each asks of who comes.

use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::MetaOperation;

use crate::access::{Needs, OPEN_PATHS};

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
    needs: Vec<(Method, Needs)>,
}

impl Methods {
    /// The paths of an API, and others that have GET alone.
    #[must_use]
    pub fn new<Api: OpenApi>(read_only: &[(&str, Needs)]) -> Self {
        let documented = Api::meta().into_iter().flat_map(|api| api.paths);
        let mut paths: Vec<_> = documented
            .map(|path| {
                let methods = path.operations.iter().map(|operation| &operation.method);
                let allow = allow(methods.map(|method| method.as_str()));
                let needs = path.operations.iter().map(|operation| {
                    let needs = needs(&path.path, operation);
                    (operation.method.clone(), needs)
                });
                Path {
                    needs: needs.collect(),
                    allow,
                    template: path.path,
                }
            })
            .collect();
        paths.extend(read_only.iter().map(|(path, needs)| Path {
            template: (*path).to_owned(),
            allow: allow(std::iter::once("GET")),
            needs: vec![(Method::GET, *needs)],
        }));
        paths.sort_by_key(|path| path.template.contains('{'));
        Self { paths }
    }

    /// The methods of a path, if there is such a path.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<&str> {
        self.find(path).map(|known| known.allow.as_str())
    }

    /// What a path and a method ask of who comes: nothing where there is nothing.
    #[must_use]
    pub fn needs(&self, path: &str, method: &Method) -> Needs {
        let method = if *method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let needs = self.find(path).and_then(|known| {
            let mut needs = known.needs.iter();
            needs.find_map(|(of, needs)| (of == method).then_some(*needs))
        });
        needs.unwrap_or(Needs::Nothing)
    }

    fn find(&self, path: &str) -> Option<&Path> {
        self.paths.iter().find(|known| fits(&known.template, path))
    }
}

/// What a call's document declares.
fn needs(path: &str, operation: &MetaOperation) -> Needs {
    if OPEN_PATHS.contains(&path) {
        Needs::Nothing
    } else if operation.security.is_empty() {
        Needs::Admin
    } else {
        Needs::Key
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
