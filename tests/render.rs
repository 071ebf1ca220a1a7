//! The command `render` from outside: what is printed, what is said on stderr, and the exit code.

#[test]
fn render_says_what_is_wrong_and_where() {
    trycmd::TestCases::new().case("tests/render/*.trycmd");
}
