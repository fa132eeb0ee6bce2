# Prints what Ruby's Psych takes plain scalars for, one a line: the scalar, a tab, the value.
# Needs Debian's ruby and ruby-psych. Run: ruby scalars.rb > scalars.tsv
require "psych"

list = %w[true True TRUE tRue false False yes Yes yEs no No on On off OFF y n Y N ~ null Null NULL nUll nul
 1 0 -1 +1 1_000 1,000 017 007 0x1F +0x1 -0x1f 0X1f 0b11 -0b11 0b12 0o17 018 08 1__0 1_ _1 0_7 0, 0x_ 0b_ 00 -0 +0 1,,0 12_3,4 9999999999999999999999 0x1g
 12:30 12:30:45 60:00 24:00 190:20:30.15 12:60 1:2:3:4 1:5 -1:30 +1:30 1_0:30 1:2:3. 1:2. 12:30:4.5 :30 1: 0:0
 .5 5. 1.10 1_0.5 09.5 1.5_0 1e3 1E5 1.5e3 1.5e+3 1.5E-3 1e+3 1.2.3 . -. +. .inf .Inf .INF +.inf -.inf .nan .NaN -.nan 1,000.5 -1.5 +1.5 .5.5 1.e+3 .e+3 -.5 ._5
 2020-01-01 2020-1-1 2020-13-01 2020-01-32 2020-00-00 12020-01-01 2020-01-01T10:00:00Z 2020-01-01T1:00:00 2020-01-01t10:00:00.5+02:00 2020-01-01T10:00:00+0200 2020-01-01T10:00
 :sym :"quoted" :'single' :: :a:b ::x = == < << ! a-b a.b -a .a -- - -x 1a a1 1.a v1.0 +a +1a /x/ @x %x 3.12-slim 1.2.3-rc1 10.0.0.1 12h 1:a a:1 0.0.0 1-2 1/2 50% $X $1 *1 #x ünïcode é ١٢ ５]
list += ["2020-01-01 10:00:00", "2020-01-01  10:00:00 Z", "2020-01-01 10:00:00 +2", "2020-01-01 10:00:00 -02:30", "1 2", " 1", "1 000", "true ", "yes no", "a\nb", "1\n2", "?", "'", "+", "-1_000", "0777", "0,7", "0x1,F", "1_2:30", "685230:15", "\u00a0", "nulls", "truely", "on1", "~~", "\"a", ",a", ",1", "?1"]
ss = Psych::ScalarScanner.new(Psych::ClassLoader::Restricted.new(%w[Symbol], []))
list.uniq.each do |s|
  begin
    v = ss.tokenize(s)
    out = case v
      when nil then "null"
      when true,false then "bool #{v}"
      when Integer then "int #{v}"
      when Float then "float #{v}"
      when Symbol then "sym #{v}"
      else "text"
      end
  rescue Psych::DisallowedClass => e
    out = "class #{e.message[/: (\w+)$/,1]}"
  rescue => e
    out = "fail"
  end
  puts [s.inspect[1..-2].gsub('\\"','"').gsub('\\#','#'), out].join("\t")
end
