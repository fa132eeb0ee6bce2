# Prints how Ruby's Psych loads whole documents the way GitLab does, one a line: the document
# escaped, a tab, the value as Ruby prints it or the error. Needs Debian's ruby and ruby-psych.
# Run: ruby documents.rb > documents.tsv
require "psych"

DOCUMENTS = [
  # Merge keys.
  "{k: 3, <<: {k: 1}}", "{<<: {k: 1}, k: 9}", "a: &a {k: 1, l: 2}\nb:\n  <<: *a\n  l: 3",
  "b: {<<: [{k: 1}, {k: 2, l: 3}]}", "b: {<<: {k: 1}, <<: {k: 2}}", "b: {'<<': {k: 1}}",
  "b: {!!str <<: {k: 1}}", "b: {<<: text}", "b: {<<: }", "b: {<<: [{k: 1}, text]}",
  "a: &a [{k: 1}]\nb: {<<: *a}", "a: &a text\nb: {<<: *a, k: 1}",
  "a: &a {k: 1}\nb: {<<: [*a, {k: 2, m: 3}], m: 4}", "b: {k: 1, <<: {l: 2}, m: 3, <<: {k: 4}}",
  # Keys and duplicates.
  "{a: 1, b: 2, a: 3}", "{1: a, '1': b}", "{true: a, yes: b}", "{~: a}", "{: a}", "? [a]\n: b",
  "? a\n? b", "{a, b: c}",
  # Tags.
  "!!str 12", "!str 12", "! 12", "!foo 12", "!foo '12'", "!!int '12'", "!!float 3", "!float 2.5",
  "!foo [1]", "!foo {a: 1}", "!ruby/object:Foo {a: 1}", "!!null x",
  # Scalars over lines.
  "a: |\n  x\n  y", "a: |\n  x\n", "a: |-\n  x\n\n", "a: |+\n  x\n\n", "a: >\n  x\n  y\n\n  z\n",
  "a: >-\n  x\n", "- |\n x\n- >\n y", "a: |2\n   x", "a: 'x\n  y'", "a: \"x\\\n  y\"", "a: x\n  y",
  "a: |+\n  x", "a: |\n", "a: |", "a: >+\n\n", "k: |\n  a\n  \n", "k: |\n\n\n  a",
  # Anchors.
  "a: &x 1\nb: *x\nc: &x 2\nd: *x", "a: &a [*b]", "&a {b: *a}",
  # Line ends and the like.
  "a: 1\r\nb: 2\r\n", "a: 1\rb: 2", "a: |\r\n  x\r\n  y\r\n", "\u{feff}a: 1", "a: 1 # c", "a: '#'",
  "a: b#c", "# only", "", "---", "--- a", "---\na: 1", "...", "a: \u00e9", "%YAML 1.1\n--- a",
  "a: \"\\u00e9\\x41\\n\"", "\"a\\", "a: [1, 2,]", "a: {b: c,}",
  # Broken.
  "a: b: c", "a:\n\tb: 1", "\ta: 1", "a: [b", "a: {b", "a: 'b", "a: \"b", "a: \"\\q\"", "a: @b",
  "a: `b", "a: %b", "a: *", "a: &", "- a\nb: c", "a: b\n- c", "a:\n  b: 1\n c: 2", "a: b\n  c: d",
  "a: 'b' c", "a: ]", "}", "a: [b}", "a: |x", "a: |99", "!<", "a: !!", "- - -\n -", "? : :",
  "a: \"b\nc: d", "a: b\nc", "a\nb: c", "x:\n  script: [a\ny: b", "a: &b *c", "a: *b c", "[a, b\nc: d",
  "{a: b}}", "a: {b: c: d}", "a: [b]]", "a: - b", "a: 'it's'", "a: \"say \"hi\"\"", "key: [a: b: c]",
  "a: b\x01c", "\x00", "a: !tag,", "[!tag,]", "[!tag , a]", "a: \u{10ffff}", "a: \x7f",
].freeze

DOCUMENTS.each do |text|
  value =
    begin
      Psych.safe_load(text, permitted_classes: [Symbol], aliases: true).inspect
    rescue Psych::Exception => e
      "error #{e.message}"
    end
  puts [text.dump[1..-2], value].join("\t")
end
