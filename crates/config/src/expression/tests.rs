use super::{Expression, Value};

const NULL: Value<'_> = Value::Null;
const YES: Value<'_> = Value::Bool(true);
const NO: Value<'_> = Value::Bool(false);

fn text(value: &str) -> Value<'_> {
    Value::Text(value)
}

fn lookup(name: &str) -> Option<&'static str> {
    Some(match name {
        "COLOR" => "deep blue",
        "P" => "src/app/main",
        "FP" => "/src/app/main",
        "EMPTY" => "",
        "BLANK" => "  ",
        "V" => "abcde",
        "W" => "dfg",
        "RE" => "/^ab.*/",
        "BAD" => "/(/",
        "LINES" => "one\nword here\nthree",
        "PART" => "bcd",
        _ => return None,
    })
}

fn check(cases: &[(&str, Value<'_>, bool)]) {
    for (source, value, is_true) in cases {
        let expression = Expression::parse(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        assert_eq!(
            expression.evaluate(&|name| lookup(name)),
            *value,
            "{source}"
        );
        assert_eq!(
            expression.is_true(&|name| lookup(name)),
            *is_true,
            "{source}"
        );
    }
}

#[test]
fn variables_texts_and_null() {
    check(&[
        ("$COLOR", text("deep blue"), true),
        ("$EMPTY", text(""), false),
        ("$BLANK", text("  "), false),
        ("$UNSET", NULL, false),
        ("$COLOR == \"deep blue\"", YES, true),
        ("$COLOR == 'deep blue'", YES, true),
        ("\"deep blue\" == $COLOR", YES, true),
        ("$COLOR == \"red\"", NO, false),
        ("$COLOR == null", NO, false),
        ("$EMPTY == null", NO, false),
        ("$EMPTY == \"\"", YES, true),
        ("$UNSET == null", YES, true),
        ("null == $UNSET", YES, true),
        ("$UNSET == \"\"", NO, false),
        ("$COLOR != null", YES, true),
        ("$EMPTY != null", YES, true),
        ("$UNSET != null", NO, false),
        ("null != $UNSET", NO, false),
        ("\"\" != $EMPTY", NO, false),
        ("$COLOR != \"deep blue\"", NO, false),
        ("\"it's\" == \"it's\"", YES, true),
        ("'\"' == '\"'", YES, true),
        ("$COLOR == $COLOR", YES, true),
        ("$UNSET == $MISSING", YES, true),
        ("true", YES, true),
        ("$UNSET || false", NO, false),
        ("$COLOR == true", NO, false),
        ("$COLOR==\"deep blue\"", YES, true),
        ("$COLOR\n  == \"deep blue\"", YES, true),
        ("$COLOR == \"x\" == $UNSET", NO, false),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        ("$COLOR =~ /bl.*e$/", YES, true),
        ("$COLOR =~ /^blue/", NO, false),
        ("$COLOR =~ /BLUE/", NO, false),
        ("$COLOR =~ /BLUE/i", YES, true),
        ("$COLOR !~ /bl.*e$/", NO, false),
        ("$COLOR !~ /^blue/", YES, true),
        ("$COLOR !~ /BLUE/i", NO, false),
        ("$EMPTY =~ /x.*/", NO, false),
        ("$EMPTY !~ /x.*/", YES, true),
        ("$UNSET =~ /x.*/", NO, false),
        ("$UNSET !~ /x.*/", YES, true),
        (r"$P =~ /app\/main/", YES, true),
        (r"$FP =~ /^\/src\/app\/main$/", YES, true),
        (r"$COLOR =~ /bl\/ue/", NO, false),
        ("$COLOR =~ $UNSET", NO, false),
        ("$V =~ $RE", YES, true),
        ("$W =~ $RE", NO, false),
        ("$V =~ $BAD", NO, false),
        ("$PART =~ $V", YES, true),
        ("$V =~ $PART", NO, false),
        ("$LINES =~ /word/", YES, true),
        ("$LINES =~ /^word/", NO, false),
        ("$LINES =~ /^WORD/im", YES, true),
        ("$COLOR =~ /blue/x", YES, true),
        (r"$COLOR =~ /a \$ b/", NO, false),
    ]);
}

#[test]
fn and_and_or_return_operands() {
    check(&[
        ("$COLOR && \"s\"", text("s"), true),
        ("\"s\" && $COLOR", text("deep blue"), true),
        ("$COLOR && $EMPTY", text(""), false),
        ("$EMPTY && $COLOR", text("deep blue"), true),
        ("$EMPTY && \"s\"", text("s"), true),
        ("$EMPTY && $EMPTY", text(""), false),
        ("$COLOR && null", NULL, false),
        ("null && $COLOR", NULL, false),
        ("\"s\" && null", NULL, false),
        ("null && null", NULL, false),
        ("$COLOR && $UNSET", NULL, false),
        ("$UNSET && $COLOR", NULL, false),
        ("$UNSET && $EMPTY", NULL, false),
        ("$COLOR =~ /deep/ && $EMPTY =~ /no/", NO, false),
        ("$EMPTY == \"\" && $COLOR", text("deep blue"), true),
        ("$EMPTY == \"\" && $COLOR != \"x\"", YES, true),
        ("$COLOR || $UNSET", text("deep blue"), true),
        ("$UNSET || $COLOR", text("deep blue"), true),
        ("$UNSET == null || $COLOR", YES, true),
        ("$COLOR || $UNSET == null", text("deep blue"), true),
        ("$EMPTY == \"\" || $COLOR", YES, true),
        ("$COLOR =~ /deep/ || $EMPTY =~ /no/", YES, true),
        (r"$FP =~ /^\/bad$/ || $P =~ /bad/", NO, false),
        (r"$FP =~ /^\/bad$/ || $P =~ /app/", YES, true),
        ("$EMPTY || $COLOR", text(""), false),
        ("$UNSET || $EMPTY", text(""), false),
        ("$EMPTY || null", text(""), false),
        ("($UNSET || \"s\") == \"s\"", YES, true),
    ]);
}

#[test]
fn parentheses_and_strength() {
    check(&[
        ("($COLOR)", text("deep blue"), true),
        ("(($COLOR && null) || $EMPTY == \"\")", YES, true),
        ("$COLOR && null || $EMPTY == \"\"", YES, true),
        ("($COLOR) && (null || $EMPTY == \"\")", YES, true),
        ("(\"a\" || \"b\") == \"a\"", YES, true),
        ("(null || (\"b\" == \"a\"))", NO, false),
        ("(\"a\" == (\"b\" && \"a\"))", YES, true),
        ("(\"a\" == (\"b\" || \"a\"))", NO, false),
        ("(\"a\" == \"b\" || \"a\")", text("a"), true),
        ("!$UNSET", YES, true),
        ("!($COLOR == \"deep blue\")", NO, false),
        ("!$UNSET && !$EMPTY", YES, true),
    ]);
    for (source, same) in [
        ("$A || $B && $C", "$A || ($B && $C)"),
        ("$A && $B || $C", "($A && $B) || $C"),
        ("$A && ($B || $C) && $D", "($A && ($B || $C)) && $D"),
        (
            "$A == '1' || $B == '2' && $C == '3' || $D == '4' && $E == '5'",
            "($A == '1' || ($B == '2' && $C == '3')) || ($D == '4' && $E == '5')",
        ),
        ("$A == 'x' == $B", "($A == 'x') == $B"),
    ] {
        assert_eq!(
            Expression::parse(source),
            Expression::parse(same),
            "{source}"
        );
    }
}

#[test]
fn wrong_expressions_are_refused_where_they_go_wrong() {
    for (source, at) in [
        ("", 0),
        ("$A \"text\"", 3),
        ("== \"1\"", 0),
        ("$A ==", 5),
        ("$A = 1", 3),
        ("$A == 123", 6),
        ("12345", 0),
        ("$A =! null", 3),
        ("$A == (", 7),
        ("$A == (\"x\"", 6),
        ("$A == \"x\")", 9),
        ("(($A == \"x\")", 0),
        ("${A}", 0),
        ("$A == \"x", 6),
        ("$A =~ //", 6),
        ("$A =~ /x/", 6),
        ("$A =~ / some ( thin/i", 6),
        ("$A =~ /^(?!x)/", 6),
        ("$A =~ /a .* / b/", 14),
        ("$A =~ /open", 6),
    ] {
        let error = Expression::parse(source).expect_err(source);
        assert_eq!(error.at, at, "{source}: {error}");
    }
    let many = vec!["$A"; 60].join(" && ");
    assert!(Expression::parse(&many).is_err());
    assert!(Expression::parse(&"(".repeat(100_000)).is_err());
}

#[test]
fn the_variables_of_an_expression_are_known() {
    let expression = Expression::parse("$A == 'x' && ($B || !$A) && 'y' =~ $C").unwrap();
    assert_eq!(expression.variables(), ["A", "B", "C"]);
}
