//! The `${...}` syntax inside strings.
//!
//! `$${` stands for a literal `${`, which IAM policy variables need.

/// A piece of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Literal(&'a str),
    Expr(&'a str),
}

/// Splits a string. The error names the part that is not closed.
pub(crate) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            pieces.push(Piece::Literal(&rest[..at - 1]));
            pieces.push(Piece::Literal("${"));
            rest = &rest[at + 2..];
            continue;
        }
        let Some(length) = rest[at..].find('}') else {
            return Err(format!("`{}` is not closed", &rest[at..]));
        };
        pieces.push(Piece::Literal(&rest[..at]));
        pieces.push(Piece::Expr(rest[at + 2..at + length].trim()));
        rest = &rest[at + length + 1..];
    }
    pieces.push(Piece::Literal(rest));
    pieces.retain(|piece| *piece != Piece::Literal(""));
    Ok(pieces)
}

/// The expressions of a string; none if it is malformed.
pub(crate) fn expressions(text: &str) -> Vec<&str> {
    let found = pieces(text).unwrap_or_default().into_iter();
    found
        .filter_map(|piece| match piece {
            Piece::Expr(expr) => Some(expr),
            Piece::Literal(_) => None,
        })
        .collect()
}

/// Replaces the expressions that `known` knows; everything else, escapes included, stays.
pub(crate) fn replace(
    text: &str,
    known: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<String, String> {
    let mut replaced = String::with_capacity(text.len());
    for piece in pieces(text)? {
        match piece {
            Piece::Literal("${") => replaced.push_str("$${"),
            Piece::Literal(literal) => replaced.push_str(literal),
            Piece::Expr(expr) => match known(expr) {
                Some(value) => replaced.push_str(&value.replace("${", "$${")),
                None => replaced.push_str(&format!("${{{expr}}}")),
            },
        }
    }
    Ok(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_split_into_literals_and_expressions() {
        use Piece::{Expr, Literal};
        let split = pieces("a-${env}-$${aws:x}").unwrap();
        assert_eq!(
            split,
            [Literal("a-"), Expr("env"), Literal("-"), Literal("${"), Literal("aws:x}")]
        );
        assert_eq!(pieces("${").unwrap_err(), "`${` is not closed");
        assert_eq!(pieces("").unwrap(), []);
    }

    #[test]
    fn unknown_expressions_stay_as_they_are() {
        let mut known = |name: &str| (name == "env").then(|| "dev".to_owned());
        let text = replace("${env}/${tables.a.name}/$${x}", &mut known).unwrap();
        assert_eq!(text, "dev/${tables.a.name}/$${x}");
    }
}
