//! Reads from the tokens of a module which paths it uses.

use crate::Names;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use std::collections::BTreeSet;

/// The paths that a module uses, from the root of the crate. Paths of other crates begin with an empty name.
pub type Uses = BTreeSet<Names>;

/// Reads the paths that begin with `crate`, `super` or a crate's name.
pub fn collect(tokens: TokenStream, module: &[String], uses: &mut Uses) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut rest = &tokens[..];
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (TokenTree::Punct(hash), [TokenTree::Group(attribute), item @ ..])
                if hash.as_char() == '#' && attribute.stream().to_string() == "cfg (test)" =>
            {
                rest = after_item(item);
            }
            (TokenTree::Ident(word), [TokenTree::Ident(name), TokenTree::Group(body), item @ ..])
                if word == "mod" =>
            {
                collect(body.stream(), &[module, &[name.to_string()]].concat(), uses);
                rest = item;
            }
            // `use ::name` is a path of `name`, not of `use`.
            (TokenTree::Ident(word), _) if word != "use" && after_colons(after).is_some() => {
                let before = match word.to_string().as_str() {
                    "crate" => Names::new(),
                    name @ ("self" | "super") => enter(module, name),
                    name => vec![String::new(), name.to_owned()],
                };
                rest = path(after, &before, uses);
            }
            (TokenTree::Group(group), _) => collect(group.stream(), module, uses),
            _ => {}
        }
    }
}

/// The tokens after the item that begins here; the item ends with its braces or its semicolon.
fn after_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let end = tokens.iter().position(|token| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(sign) => sign.as_char() == ';',
        _ => false,
    });
    end.map_or(&[], |end| &tokens[end + 1..])
}

fn after_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [TokenTree::Punct(one), TokenTree::Punct(two), rest @ ..]
            if one.as_char() == ':' && two.as_char() == ':' =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// Continues to read a path that begins with `before`, and returns the tokens after it.
fn path<'a>(tokens: &'a [TokenTree], before: &[String], uses: &mut Uses) -> &'a [TokenTree] {
    match after_colons(tokens) {
        Some([TokenTree::Ident(word), rest @ ..]) => path(rest, &enter(before, &word.to_string()), uses),
        Some([TokenTree::Group(group), rest @ ..]) if group.delimiter() == Delimiter::Brace => {
            branches(group, before, uses);
            rest
        }
        _ => {
            uses.insert(before.to_vec());
            tokens
        }
    }
}

/// The branches of `use before::{one, two::three}`.
fn branches(group: &Group, before: &[String], uses: &mut Uses) {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    for branch in tokens.split(|token| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ',')) {
        if let [TokenTree::Ident(word), rest @ ..] = branch {
            path(rest, &enter(before, &word.to_string()), uses);
        }
    }
}

/// The path with one name more.
fn enter(before: &[String], name: &str) -> Names {
    match name {
        "self" => before.to_vec(),
        "super" => before.split_last().map_or(before, |(_, above)| above).to_vec(),
        name => [before, &[name.to_owned()]].concat(),
    }
}

/// Checks the parser on a sample text, so that the tests of the imports can fail.
#[test]
fn imports_are_seen_in_any_form_and_comments_are_not() {
    let text = r#"
        //! See [`crate::comment`].
        use crate::{one::{self, Two}, three};
        use super::{sibling::Thing, super::other};
        use ::redis::{Client, aio::Link};
        #[cfg(test)]
        mod tests { use crate::tested; }
        mod inner { fn f() -> crate::four::Five { super::near::g("crate::text") } }
        /// [`crate::link`]
        #[tokio::main]
        fn f(value: impl Into<crate::six::Seven>) { axum::serve(value) }
    "#;
    let mut uses = Uses::new();
    collect(text.parse().unwrap(), &["room".to_owned(), "module".to_owned()], &mut uses);
    let found: Vec<String> = uses.into_iter().map(|names| names.join("::")).collect();
    let expected = "::axum::serve ::redis::Client ::redis::aio::Link ::tokio::main four::Five one one::Two other room::module::near::g \
                    room::sibling::Thing six::Seven three";
    assert_eq!(found.join(" "), expected);
}
