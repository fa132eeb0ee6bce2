# Writes oracle.tsv: seconds of durations as the library says that GitLab reads them with, or
# `none`. Needs Debian's ruby-chronic-duration. Run by hand: ruby oracle.rb > oracle.tsv
require "gitlab_chronic_duration"

ChronicDuration.raise_exceptions = true

# GitLab's own copy takes a word for a number only where all of it is one (its option
# `use_complete_matcher`), which Debian's is too old for.
module ChronicDuration
  alias loose_matcher float_matcher

  def float_matcher
    where = caller_locations(1, 1).first.label
    where.match?(/calculate_from_words|filter_through_white_list/) ? /^[0-9]*\.?[0-9]+$/ : loose_matcher
  end
end

numbers = %w[0 1 2 1.5 .5 0.5 007 1. 1..2 1.2.3 1,5 1e3 +1 -1 1_000 1,000 ½ ١ one two twenty
  twenty-five twenty\ five hundred one\ hundred two\ hundred\ and\ five a\ dozen half quarter
  a\ half one\ half third first second thirteenth zero ninety-nine thousand one\ thousand eleven
  three\ quarters 1/2 10%]
units = %w[s sec secs second seconds m min mins minute minutes h hr hrs hour hours d dy day days w
  wk wks week weeks mo mos month months y yr yrs year years M H D Hours MIN ms us fortnight decade
  weekday hs minuten]
plain = ["", " ", "day", "hour 30", "an hour", "a day", "and", "with", "plus", "5 and", "and 5",
  "1 day and", "1 day with 2 hours plus 3 mins", "1 day, 2 hours", "1 day ,2 hours", "1 day , 2 hours",
  "1 day,2 hours", "1,day", "1 day;2 hours", "1 day & 2 hours", "1 day or 2", "1h1h", "1h 1h",
  "30 minutes 1 hour", "1 hour hour", "hour hour", "1 2", "1 2 hours", "1 2 3", "1h 2", "1h 2 3",
  "2 hours 20 mins 5", "never", "Never", "forever", "now", "soon", "1 hour ago", "in 1 hour",
  "for 1 hour", "1 hour!", "(1 hour)", "1 hour.", "1.hour", "1 . hour", "1 hour 30 min.", "h1", "h 1",
  "hour1", "1hour30", "1hour30minutes", "1h30m", "1h30", "1w2d3h4m5s", "1y1mo", "1mo1m", "1M", "1 mO",
  "1\thour", "1\nhour", "  1  hour  ", "1\u00a0hour", "4:30", "1:02:03", "1:2:3:4", "1:2:3:4:5",
  "1:2:3:4:5:6", "1:2:3:4:5:6:7", ":30", "4:", "4: 30", "4 :30", "4:30:", "::", ":", "4:30 hours",
  "1 day 4:30", "4:30 1 day", "1.5:30", "1:.5", "0:0", "0:0:0", "0:01", "a:b", "4:3b", "4::30", "-4:30",
  "00:10", "10:60", "100:100", "4.30", "4,30", "4;30", "12:30 pm", "2024-01-01", "PT1H", "P1D",
  "0", "00", "0.0", "0.4", "0.9", "0s", "0 days", "1.9", "1.9s", "2.5 seconds", "1.1 years", "0.5 mo",
  "42", "42.", "9999999999", "99999999999999999999", "1e5 seconds", "5 minutes ", "5 minutes\r\n",
  "5 minutes\n5 minutes", "five", "five minutes", "fiveminutes", "five-minutes", "5-minutes", "5_minutes",
  "5 minutes-", "-5 minutes", "- 5 minutes", "5 - 6 minutes", "5-6 minutes", "--5 minutes", "5--minutes",
  "twenty-two hours", "twenty two hours", "twentytwo hours", "seventy-five mins", "two and a half hours",
  "one and a half hours", "a couple of hours", "two hundred seconds", "one hundred and twenty seconds",
  "three hundred sixty-five days", "2 thousand seconds", "a thousand seconds", "million seconds",
  "one million seconds", "ten-four", "forty-twelve", "twenty-zero", "fourteen hours", "fourty minutes",
  "4 hours 4 hours", "1 day -1 hour", "30 mins 4 sec 5", "1 week 1 day 1 hour 1 minute 1 second",
  "3 hours/2", "2x", "x2", "2 x 3 hours", "$A", "${A}", "1 hour # comment", "1 hour; rm", "null", "true",
  "1 day \u{1f600}", "\u00e9 1 day", "1 d\u00e4y", "1 \u0131", "1 \u017f", "5 \u212Aours", "1 HOUR", "1 Hour And 2 MINS",
  "one", "One Hour", "ONE HOUR", "oneday", "one day one hour", "a", "a s", "an", "a a day", "one two",
  "one one day", "1 one day", "2 one days", "one 1 day", "second", "seconds", "1 second second", "first day",
  "second day", "quarter hour", "quarter of an hour", "half an hour", "half hour", "half day", "1 half day",
  "one half day", "one quarter day", "an eighth", "ninth", "tenth day", "twelfth",
]
texts = plain + numbers + numbers.flat_map { |n| ["#{n} hours", "#{n}h", "#{n} day 2"] } +
  units.flat_map { |u| [u, "1 #{u}", "2#{u}", "1.5#{u}", "1 #{u} 30"] }
texts.uniq.each do |text|
  seconds =
    begin
      ChronicDuration.parse(text)
    rescue ChronicDuration::DurationParseError, NoMethodError, ZeroDivisionError
      # A text of more than six colons makes the library call a method of nothing.
      nil
    end
  puts [text.dump[1..-2], seconds.nil? ? "none" : seconds.to_i].join("\t")
end
