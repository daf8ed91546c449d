//! A request's JSON, looked at where it stands: nothing is built of what nobody asks for.

use nanoserde::DeJson;

use super::{Cursor, is_sound};

/// One value, as a part of a text that [`is_sound`] has passed.
#[derive(Clone, Copy)]
pub struct Value<'t>(&'t [u8]);

impl<'t> Value<'t> {
    /// The value of a whole text; `None` when it is not JSON.
    pub fn read(bytes: &'t [u8]) -> Option<Self> {
        is_sound(bytes).then(|| Self(bytes.trim_ascii()))
    }

    /// True for `null`.
    pub fn is_null(self) -> bool {
        self.0 == b"null"
    }

    /// `true` or `false`.
    pub fn switch(self) -> Option<bool> {
        match self.0 {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn count(self) -> Option<u32> {
        std::str::from_utf8(self.0).ok()?.parse().ok()
    }

    /// A string without its escapes.
    pub fn text(self) -> Option<String> {
        let text = std::str::from_utf8(self.0).ok().filter(|text| text.starts_with('"'))?;
        String::deserialize_json(text).ok()
    }

    /// The items of an array.
    pub fn items(self) -> Option<impl Iterator<Item = Self>> {
        let rest = self.0.strip_prefix(b"[")?;
        let mut cursor = Cursor { rest };
        Some(std::iter::from_fn(move || next_value(&mut cursor)))
    }

    /// The members of an object; of two with one name the last counts.
    pub fn members(self) -> Option<impl Iterator<Item = (String, Self)>> {
        let rest = self.0.strip_prefix(b"{")?;
        let mut cursor = Cursor { rest };
        Some(std::iter::from_fn(move || {
            let name = next_value(&mut cursor)?.text()?;
            cursor.blanks();
            cursor.take(b":")?;
            Some((name, next_value(&mut cursor)?))
        }))
    }

    /// The member of an object with this name.
    pub fn member(self, name: &str) -> Option<Self> {
        let named = self.members()?.filter(|(it, _)| it == name);
        named.last().map(|(_, value)| value)
    }
}

/// The next value before the end of an array or object, and the comma in front of it.
fn next_value<'t>(cursor: &mut Cursor<'t>) -> Option<Value<'t>> {
    cursor.blanks();
    let _ = cursor.take(b",");
    cursor.blanks();
    let before = cursor.rest;
    cursor.value(0)?;
    let length = before.len() - cursor.rest.len();
    Some(Value(&before[..length]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let text = r#" { "a" : [1, "x\u00e9\"", {}, [ ] ], "b":true,"c":null, "b": false } "#;
        let value = Value::read(text.as_bytes()).unwrap();
        let names: Vec<String> = value.members().unwrap().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c", "b"]);
        let list: Vec<Value<'_>> = value.member("a").unwrap().items().unwrap().collect();
        assert_eq!((list.len(), list[0].count()), (4, Some(1)));
        assert_eq!(list[1].text().as_deref(), Some("xé\""));
        assert_eq!(list[2].members().unwrap().count(), 0);
        assert_eq!(list[3].items().unwrap().count(), 0);
        assert_eq!(value.member("b").unwrap().switch(), Some(false), "the last one");
        assert!(value.member("c").unwrap().is_null() && value.member("d").is_none());
        for (text, value) in [("1", Some(1)), ("-1", None), ("1.0", None), ("4294967296", None)] {
            assert_eq!(Value::read(text.as_bytes()).unwrap().count(), value, "{text}");
        }
        let other = Value::read(b"7").unwrap();
        assert!(other.items().is_none() && other.members().is_none());
        assert!(other.text().is_none() && other.switch().is_none());
        assert!(Value::read(b"{").is_none());
    }
}
