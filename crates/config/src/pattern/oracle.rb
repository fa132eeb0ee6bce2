# Writes oracle.tsv: whether RE2 finds an expression in a text (`true`, `false`), or refuses it
# (`error`), with the settings of GitLab. Needs Debian's ruby-re2. Run: ruby oracle.rb > oracle.tsv
require "re2"

TEXTS = ["", "a", "ab", "A", "a\nb", "\n", "b\na", "aaa", "main", "v1.2.3", "feature/x-y", "a b", "1", "_", "-", "é",
  "É", "٣", "\u00a0", "\\", "[", "]", "^", "$", "&", "~", "}", "{", "a{2}", "x{,3}", ".", "/", "\t", "\u017f", "K", "\u{1f600}",
  "\v", "\f", "a.b", "Q", "aab", "ß", "\u212a", "a\r\n", "|", "(", "π", "\x01"].freeze
PATTERNS = (<<'END'.split + ["a\nb", "a\tb", " ", "(?x) a # c", "a\\", "[\\", "\\Q\\", "(?i)a\\", "\\Qé\\E", "a\\\nb", "[a\nb]", "(?-s).", "(?s).", "\u0001"]).freeze
a ^a$ ^a a$ . .. .* .+ a* a+ a? a{2} a{2,} a{,2} a{0} a{2,1} a{1000} a{1001} x{,3} a{ a{1 a{} {2} a{2}{3} a** a+? a*? a?? a++ a*+ *a +a ?a ^* $* (?:)* |a a| || () (|a) (a
a) ( ) [ ] [] []a] [^]a] [^a] [a-] [-a] [a-z-9] [z-a] [[] [[a]] [a[b] [a&&b] [a||b] [a~~b] [a--b] [&&] [--a] [+--] [a-\d] [\d-z] [\w-] [.] [$] [^^] [\^] [\]] [\[] [\-] [\n]
[[:alpha:]] [[:^alpha:]] [[:word:]] [[:foo:]] [:alpha:] [[:alpha:] [[:alpha:]-z] [^[:space:]] [[:ascii:]] [[:punct:]] [[:xdigit:]] [[.a.]] [[=a=]]
\d \D \s \S \w \W \b \B \ba \Ba \A \z \Z \G \h \H \R \v \V \X \K \C \N \e \a \f \n \r \t \0 \1 \7 \01 \012 \101 \8 \x \x4 \x41 \x{41} \x{1F600} \x{110000} \x{} \u0041 \u{41} \cA \_ \- \! \/ \" \' \# \% \& \~ \@ \: \; \< \> \= \, \é \y \i \q \E a\E \Q \Qa.b \Qa.b\E \Qa.b\E+ \Qa\\E \Q[\E] \Q\E+ [\Qa\E] \k<n> \g1 \p \pL \PL \p{L} \p{^L} \P{^L} \p{Lu} \p{Letter} \p{Greek} \p{greek} \p{IsGreek} \p{Script=Greek} \p{sc=Greek} \p{Alphabetic} \p{Any} \p{ASCII} \p{Foo} \p{L \pN [\pL] [^\pL] [\p{Greek}a] \p{White_Space} \p{Emoji}
(?i)a (?i:A)b (?-i)A (?i-s)A. (?x)a (?m)^b (?s)a.b (?U)a+ (?u)a (?R)a (?i (?) (?:a) (?:a (?P<n>a) (?P<n>a)(?P<n>b) (?P<n>a)(?P=n) (?<n>a) (?'n'a) (?P<1>a) (?P<>a) (?P<é>a) (?P<a.b>a) (?P<a[b>a) (?=a) (?!a) (?<=a) (?<!a) (?>a) (?#c)a (?|a) (?i)ſ (?i)k (?i)ß (?i)É (?i)π (?i)Π (?is)a.B (?ii)A (?i--s)a (?i-)A (?-)a (?^i)a (?P>n) (?R) (?1) (?(1)a) (?i)[a-z]+ (?i)[^a] (?m)a$ (?m)^$ (?-m)^b (?s).$
^$ ^^a a$$ $^ a^b a$b ^a|b$ (^a) (a$) (?:^a)* \Aa\z ^v\d+\.\d+ ^main$ ^feature/ ^feature\/.*$ /a #a a#b a\ b \  & && ~~ -- } a} {a} }{ é [é] [à-ÿ] [^é] 😀 [😀-😂] .é? \xC3 \x{e9} [\x{e9}] [\x00-\x1f] [\001] [\b] [\B] [\A] [\z] [\s\S] [^\s\S] [^\W] [^\d\D] [\D] [^\D]
(a|b)* (a*)* (a*)+ (a+)+$ ((a)) (((((((((((a))))))))))) (a{1000}){1000} ((a{100}){100}){100} (x{500}){2} (x{501}){2} (?:a{32}){32} a{1000}b{1000} .{1000} [^a]{1000} \pL{500} (((a{10}){10}){10}){10} ((((a?){10}){10}){10}){1}
END

options = RE2::Regexp
PATTERNS.uniq.each do |pattern|
  regexp = options.new(pattern, log_errors: false)
  unless regexp.ok?
    puts [pattern.dump[1..-2], "", "error"].join("\t")
    next
  end
  TEXTS.each_with_index do |text, index|
    found = regexp.match?(text)
    # Every hit, and every third of the misses.
    puts [pattern.dump[1..-2], text.dump[1..-2], found].join("\t") if found || index % 3 == 0
  end
end
