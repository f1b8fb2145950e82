//! Macros that declare a wire type and its documentation in one place.
//!
//! poem-openapi's own derives would also make parsers and writers that go through trees of JSON
//! values; serde goes straight from and to bytes. So only poem-openapi's [`Type`] is implemented
//! here, which is what its document is generated from.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::Serialize;

use crate::json::ToJson;

/// Implements [`Type`] for what is neither validated nor converted by poem-openapi.
macro_rules! impl_type {
    ($type:ty, $name:expr, schema: $schema:expr, register: |$registry:ident| $register:expr) => {
        impl ::poem_openapi::types::Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = ();
            type RawElementValueType = ();

            fn name() -> ::std::borrow::Cow<'static, str> {
                ::std::convert::Into::into($name)
            }

            fn schema_ref() -> ::poem_openapi::registry::MetaSchemaRef {
                $schema
            }

            fn register($registry: &mut ::poem_openapi::registry::Registry) {
                $register
            }

            fn as_raw_value(&self) -> Option<&Self::RawValueType> {
                None
            }

            fn raw_element_iter<'a>(
                &'a self,
            ) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
                Box::new(::std::iter::empty())
            }
        }
    };
}

/// Declares an object that is sent out.
///
/// A field of type [`Nullable`] is always there, an `Option` is left out when it is none.
macro_rules! object {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])+ $(#[serde($($serde:tt)*)])? pub $field:ident: $type:ty, )+
        }
        example $example:tt
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, ::serde::Serialize)]
        pub struct $name {
            $( $(#[doc = $field_doc])+ $(#[serde($($serde)*)])? pub $field: $type, )+
        }

        object_to_json!($name, $($field,)+);

        impl_type!(
            $name,
            stringify!($name),
            schema: ::poem_openapi::registry::MetaSchemaRef::Reference(stringify!($name).to_owned()),
            register: |registry| {
                registry.create_schema::<Self, _>(stringify!($name).to_owned(), |registry| {
                    $( <$type as ::poem_openapi::types::Type>::register(registry); )+
                    let required = [
                        $( (stringify!($field), <$type as ::poem_openapi::types::Type>::IS_REQUIRED), )+
                    ];
                    $crate::schema::object::object_schema(
                        concat!($($doc, "\n"),+).trim_ascii(),
                        &required,
                        vec![
                            $( $crate::schema::object::property::<$type>(
                                stringify!($field),
                                concat!($($field_doc, "\n"),+).trim_ascii(),
                            ), )+
                        ],
                        ::serde_json::json!($example),
                    )
                });
            }
        );
    };
}

/// Declares an object that comes in: its fields as they stand in the text, still to be parsed,
/// so that all that is wrong with them can be told at once.
macro_rules! request {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $( $(#[doc = $field_doc:literal])+ $presence:ident $field:ident: $type:ty, )+
        }
        example $example:tt
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, ::serde::Deserialize)]
        pub struct $name<'a> {
            $(
                $(#[doc = $field_doc])+
                #[serde(borrow, default)]
                pub $field: Option<&'a ::serde_json::value::RawValue>,
            )+
        }

        impl_type!(
            $name<'static>,
            stringify!($name),
            schema: ::poem_openapi::registry::MetaSchemaRef::Reference(stringify!($name).to_owned()),
            register: |registry| {
                registry.create_schema::<Self, _>(stringify!($name).to_owned(), |registry| {
                    $( <$type as ::poem_openapi::types::Type>::register(registry); )+
                    let required = [
                        $( (stringify!($field), $crate::schema::object::is_required(stringify!($presence))), )+
                    ];
                    $crate::schema::object::object_schema(
                        concat!($($doc, "\n"),+).trim_ascii(),
                        &required,
                        vec![
                            $( $crate::schema::object::request_property::<$type>(
                                stringify!($field),
                                stringify!($presence),
                                concat!($($field_doc, "\n"),+).trim_ascii(),
                            ), )+
                        ],
                        ::serde_json::json!($example),
                    )
                });
            }
        );
    };
}

/// Whether a field declared `required` or `optional` has to be there.
pub(crate) fn is_required(presence: &str) -> bool {
    presence == "required"
}

/// A field's name without what makes a keyword a name.
fn plain(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// A doc comment's lines without the space that each begins with. The document is made a few
/// times in a process's life; its words stay.
fn flush_left(description: &'static str) -> &'static str {
    if description.contains('\n') {
        description.replace("\n ", "\n").leak()
    } else {
        description
    }
}

/// A property's schema with a description of its own.
pub(crate) fn property<T: Type>(
    name: &'static str,
    description: &'static str,
) -> (&'static str, MetaSchemaRef) {
    let own_words = MetaSchema {
        description: Some(flush_left(description)),
        ..MetaSchema::ANY
    };
    (plain(name), T::schema_ref().merge(own_words))
}

/// A property that comes in; an optional one may be null.
pub(crate) fn request_property<T: Type>(
    name: &'static str,
    presence: &'static str,
    description: &'static str,
) -> (&'static str, MetaSchemaRef) {
    let (name, schema) = property::<T>(name, description);
    let null = MetaSchema {
        nullable: !is_required(presence),
        ..MetaSchema::ANY
    };
    (name, schema.merge(null))
}

/// An object's schema.
pub(crate) fn object_schema(
    description: &'static str,
    required: &[(&'static str, bool)],
    properties: Vec<(&'static str, MetaSchemaRef)>,
    example: serde_json::Value,
) -> MetaSchema {
    MetaSchema {
        description: Some(flush_left(description)),
        required: required
            .iter()
            .filter_map(|(name, required)| required.then_some(plain(name)))
            .collect(),
        properties,
        example: Some(example),
        ..MetaSchema::new("object")
    }
}

/// A field that is always there, as its value or as null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Nullable<T>(pub Option<T>);

impl<T: ToJson> ToJson for Nullable<T> {
    fn write(&self, json: &mut Vec<u8>) {
        self.0.write(json);
    }
}

impl<T> From<Option<T>> for Nullable<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T: Type> Type for Nullable<T> {
    const IS_REQUIRED: bool = true;
    type RawValueType = ();
    type RawElementValueType = ();

    fn name() -> Cow<'static, str> {
        format!("nullable_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref().merge(MetaSchema {
            nullable: true,
            ..MetaSchema::ANY
        })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&()> {
        None
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a ()> + 'a> {
        Box::new(std::iter::empty())
    }
}

/// An array whose schema says how many items it may have.
///
/// Only its documentation bounds it: what fills it sees to the bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct List<T, const MAX: usize, const MIN: usize = 0>(pub Vec<T>);

impl<T: ToJson, const MAX: usize, const MIN: usize> ToJson for List<T, MAX, MIN> {
    fn write(&self, json: &mut Vec<u8>) {
        self.0.write(json);
    }
}

impl<T: Type, const MAX: usize, const MIN: usize> Type for List<T, MAX, MIN> {
    const IS_REQUIRED: bool = true;
    type RawValueType = ();
    type RawElementValueType = ();

    fn name() -> Cow<'static, str> {
        format!("list_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema {
            items: Some(Box::new(T::schema_ref())),
            max_items: Some(MAX),
            min_items: (MIN > 0).then_some(MIN),
            ..MetaSchema::new("array")
        }))
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&()> {
        None
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a ()> + 'a> {
        Box::new(std::iter::empty())
    }
}
