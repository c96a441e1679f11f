# SPDX-License-Identifier: MIT
"""Small templates of our own, and the variables they are rendered with: the language, one thing at a time."""

DATA = {
    "s": "Hello, World", "u": "Ünïcödé ß ﬁ Σίσυφος 日本", "e": "", "pad": "  x y\t\n ", "lines": "a\nb\r\n\nc",
    "n": 7, "neg": -7, "f": 2.5, "t": True, "fa": False, "no": None, "big": 9007199254740993,
    "l": [3, 1, 2], "names": ["b", "A", "c", "a"], "d": {"b": 1, "a": {"x": [1, 2.0, None]}, "items": "key"},
    "people": [{"name": "Ann", "age": 30, "city": "Köln"}, {"name": "bob", "age": 25, "city": "Bonn"},
               {"name": "Cy", "age": 30, "city": "köln"}],
    "nest": [{"v": 1, "kids": [{"v": 2, "kids": []}, {"v": 3, "kids": [{"v": 4, "kids": []}]}]}],
    "html": "<a href=\"x\">it's & more</a>",
}

# Expressions: each becomes {{ expression }}.
EXPRESSIONS = r"""
1 + 2 * 3 ** 2 - -4
7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 / 2, -7 // 2.0, 7 % -3, -7.5 % 2
2 ** 10, 2 ** -1, 2 ** 0.5, (-2) ** 3, -2 ** 2
10 / 4, 4 / 2, 1e3, 1.5e-7, 1e16, 1e15, 123456789.125, 0.1 + 0.2, 1e22, 5e-324, 1.7976931348623157e308
100000000000000000000.0, 0.0001, 0.00001, -0.0, 3.0, 1_000, 0x1F, 0b101, 0o17, 1_0.5
true + 1, True * 3, false == 0, 1 == 1.0, "1" == 1, none == none, [1] == [1.0], (1,) == [1]
1 < 2 < 3, 1 < 3 < 2, 3 > 2 >= 2 != 1, "a" < "b", [1, 2] < [1, 3], "Z" < "a"
"a" < 1
none < 1
1 if t else 2
1 if fa
(1 if fa) is undefined
"x" ~ 1 ~ 2.0 ~ none ~ true ~ [1, "a"] ~ {"k": "v"} ~ missing
"a" "b" 'c'
"tab\tnl\nq\"uo'te \x41 \u00e9 \101 \q \\ \
joined"
'it''s'
s[0], s[-1], s[100], s[1:5], s[:-3], s[::-1], s[::3], s[5:2], s[-3:]
u[0], u[3:6], u[::-1], u|length, u[-2:]
l[0], l[-1], l[10], l[1:], l[::-1], l[:100], l[0:3:2], l[5:1:-2]
(1, 2, 3)[1:], (1,), (), [], {}, [(1, 2), [3]]
d.b, d["b"], d.a.x[0], d.a.x.1, d["items"], d.missing, d["missing"] is undefined, d.get("zz"), d.get("zz", 5)
d.missing.deeper
missing.attribute
missing["key"]
missing + 1
1 + missing
missing()
no.x
no.x.y
n.foo is defined
s.foo
s.nothing()
not missing, missing or "d", missing and 1, missing is defined, missing == missing, missing in [1], missing|length
1 in l, 5 not in l, "ell" in s, "b" in d, "q" in d, 1 in missing, not 1 in l
1 in s
missing in s
1 in 5
t and s, e or s, no or e, fa and nothing_here, t or nothing_here, not e, not not s
n is odd, n is even, n is divisibleby 7, n is divisibleby(3), 8 is even
n is number, f is number, t is number, s is number, n is integer, f is float, t is integer, t is boolean, no is none
s is string, l is sequence, s is sequence, d is mapping, d is sequence, n is sequence, l is iterable, n is iterable, missing is iterable
"a" is lower, "A" is upper, "aB" is lower, "1" is upper, u is lower, missing is callable, range is callable, s.upper is callable
n is sameas n, t is sameas true, 1 is sameas true, none is sameas none
n is eq 7, n is ne 7, n is lt 8, n is gt 8, n is ge 7, n is le 6, n is equalto 7, n is greaterthan 3, n is lessthan 3, n is in [7]
"upper" is filter, "nope" is filter, "odd" is test, "nope" is test, s|e is escaped, s is escaped
n is not odd, s is not none and t, n is odd and n is number, not n is odd
s|upper|lower|title, "it's a-b c_d (e) 1x"|title, "hELLO wORLD"|capitalize, e|capitalize, "ß"|upper, "ﬁx"|upper, "ǆ"|title
u|upper
u|lower
u.title(), u.capitalize(), u.swapcase(), u.casefold()
pad|trim, pad.strip(), pad.lstrip(), pad.rstrip(), "xxaxx".strip("x"), "xyaxy"|trim("yx"), "abc".strip("")
"a,b,,c".split(","), " a  b ".split(), "a,b,c".split(",", 1), "a b c".rsplit(None, 1), "a,b,c".rsplit(",", 1), "".split(), "".split(","), " a b ".split(None, 1), " a b c ".rsplit(None, 1), "abc".split("")
lines.splitlines(), lines.splitlines(true), "a\u2028b\x0bc".splitlines(), "".splitlines(), "a\n".splitlines()
"a-b-c".partition("-"), "a-b-c".rpartition("-"), "abc".partition("-"), "abc".rpartition("-")
"abcabc".find("c"), "abcabc".rfind("c"), "abcabc".find("z"), "abcabc".index("b", 2), "abcabc".count("a"), "aaa".count("aa"), "abc".count(""), "日本日".find("日", 1), "abc".find("", 3), "abc".find("", 4)
"abc".index("z")
"abc".startswith("ab"), "abc".endswith("bc"), "abc".startswith(("x", "a")), "abc".startswith("b", 1), "abc".endswith("b", 0, 2), "abc".startswith("")
"aXbX".replace("X", "--"), "aaa".replace("a", "b", 2), "ab".replace("", "."), "ab"|replace("a", 1), "ab"|replace("", ".", 2), s|replace("l", "L", 1)
"abc".removeprefix("a"), "abc".removesuffix("c"), "abc".removeprefix("z")
"a".center(5) ~ "|", "ab".center(5, "*"), "abc".center(6, "*"), "a".ljust(3, "."), "a".rjust(3, "."), "-5".zfill(4), "5".zfill(3), "x"|center(4) ~ "|"
"a\tb\tc".expandtabs(4), "a\tb".expandtabs()
"abc".isalpha(), "ab1".isalnum(), "12".isdigit(), "²".isdigit(), "²".isdecimal(), "½".isnumeric(), " ".isspace(), "".isspace(), "Ab Cd".istitle(), "abc".islower(), "ABC1".isupper(), "a b".isidentifier(), "_a1".isidentifier(), "é".isascii(), "a\n".isprintable()
", ".join(names), "-".join("abc"), "".join([])
", ".join([1, 2])
names|join(", "), l|join, l|join("-"), people|join(", ", attribute="name"), missing|join, s|join("."), d|join
names|sort, names|sort(case_sensitive=true), l|sort(reverse=true), people|sort(attribute="age")|map(attribute="name")|list, people|sort(attribute="age,name", reverse=true)|map(attribute="name")|join(" ")
[1, "a"]|sort
names|unique|list, [1, 1.0, true, 2]|unique|list, people|unique(attribute="city")|map(attribute="city")|list, ["a", "A"]|unique(case_sensitive=true)|list
l|min, l|max, names|min, names|max, []|min is undefined, people|max(attribute="age"), [2, 1.5]|min
l|sum, [1.5, 2]|sum, people|sum(attribute="age"), []|sum, l|sum(start=10)
people|groupby("age")|list
people|groupby("city")|map("first")|list
people|map(attribute="name")|map("upper")|join(","), l|map("string")|list, people|map(attribute="zip", default="?")|list, ["1", "2"]|map("int")|list
people|selectattr("age", "equalto", 30)|map(attribute="name")|list, people|selectattr("zip")|list, people|rejectattr("age", "gt", 26)|map(attribute="name")|list
l|select("odd")|list, l|reject("odd")|list, [0, 1, "", none, "a"]|select|list, [0, 1]|reject|list, l|select("in", [1, 2])|list
l|first, l|last, []|first is undefined, s|first, s|last, d|first, missing|first is undefined
l|reverse|list, s|reverse, d|reverse|list
l|batch(2)|list, l|batch(2, 0)|list, l|slice(2)|list, [1,2,3,4,5]|slice(3, "x")|list
l|length, s|count, d|length, e|length, (1, 2)|length
(l|map("string"))|length
l|map("string") is sequence, l|map("string") is iterable, range(3) is sequence, d.items() is sequence
(l|map("int"))[0] is undefined
range(5)|list, range(2, 8, 3)|list, range(5, 0, -2)|list, range(0)|list, range(3), range(1, 5, 2), range(5)[1:3], range(3)|length, 2 in range(3), range(10)[-1]
range(1, 2, 0)
range(1000000)
d|items|list, d.items(), d.keys(), d.values(), d["items"], d|dictsort, d|length
{"b": 1, "A": 2, "c": 0}|dictsort, {"b": 1, "A": 2}|dictsort(true), {"b": 1, "A": 2}|dictsort(by="value"), {"b": 1, "A": 2}|dictsort(false, "key", true)
missing|items|list
s|items|list
d|tojson, l|tojson, s|tojson, n|tojson, f|tojson, no|tojson, t|tojson, (1, 2)|tojson, u|tojson, html|tojson
d|tojson(indent=2)
{"a": [], "b": {}, "c": [1, {"d": 2}]}|tojson(indent=4)
{"b": 1, "a": [1, 2]}|tojson(sort_keys=true), {"a": 1, "b": [1, 2]}|tojson(separators=(",", ":")), u|tojson(ensure_ascii=true), "🎉\x7f"|tojson(true), {"a": 1}|tojson(indent="\t"), {"a": 1}|tojson(indent=0)
{1: 2, none: 3, true: 4, 1.5: 5}|tojson
"\x00\x01\x1f\x7f\b\f\n\r\t\"\\/ "|tojson
missing|tojson
{"a": missing}|tojson
(l|map("int"))|tojson
[1e16, 1e-5, 1.0, 0.1, -0.0, 1e300]|tojson
missing|default("d"), e|default("d"), e|default("d", true), no|default("d"), no|d("d", boolean=true), d.zz|default(5), missing|default
"42"|int, "4.7"|int, "x"|int, "x"|int(5), "0x1f"|int(base=16), "1f"|int(0, 16), "101"|int(base=2), 4.9|int, -4.9|int, true|int, no|int, " 12 "|int, "1_000"|int, "1e3"|int, [1]|int(9)
"4.5"|float, "x"|float, "x"|float(1.5), 3|float, "1e3"|float, no|float, " 2.5 "|float
missing|int
missing|float
2.5|round, 3.5|round, 2.675|round(2), 42.55|round(1, "floor"), 42.55|round(1, "ceil"), 7|round, -2.5|round, 1234.5|round(-2), 2.5|round|int
-5|abs, 5.5|abs, true|abs, neg|abs
1000|filesizeformat, 1|filesizeformat, 500|filesizeformat, 1500000|filesizeformat, 1500000|filesizeformat(true), 1024|filesizeformat(true)
"a\nb\n\nc"|indent, "a\nb"|indent(2, true), "a\n\nb"|indent(2, blank=true), "a\nb"|indent("> "), ""|indent, "a\n"|indent(2)
"foo bar baz qux"|truncate(9), "foo bar baz qux"|truncate(9, true), "foo bar baz qux"|truncate(11), "foo bar baz qux"|truncate(11, false, "...", 0), "日本語日本語日本語"|truncate(5, true, "…", 0)
"a b  c-d"|wordcount, html|striptags, "a < b > c  d\n e"|striptags, html|e, html|escape|e, html|forceescape, html|safe, html|safe|e
(html|safe) + "<", "<" + (html|safe), (html|safe) ~ "<", ("<%s>"|safe) % "<b>", ("<"|e) * 2, (html|safe)|upper, (html|safe).split(" "), "<"|e ~ "<"
"a b/c?d=é&"|urlencode, {"a b": "c/d", "e": 1}|urlencode, {"id": 3, "class": "a\"b", "no": none}|xmlattr
"%s and %d, %5.2f|%-5s|%05d|%x|%X|%o|%e|%g|%%|%r" % ("a", 42, 3.14159, "ab", 42, 255, 255, 8, 12345.678, 0.00001, "q")
"%s" % "x", "%s" % [1], "%(a)s-%(b)03d" % {"a": 1, "b": 2}, "%+d % d" % (5, 5), "%5s|%.2s" % ("a", "abc"), "%*d" % (5, 42), "%c%c" % ("a", 66), "%#x" % 255, "%.3d" % 5, "%s %s" % ("ü", none)
"%s" % ("a", "b")
"%s %s" % "a"
"%d" % "a"
"no fields" % 1
"%s, %s!"|format("a", "b"), "%(x)s"|format(x=1), "x"|format
"{} {}".format(1, "a"), "{0}{1}{0}".format("a", "b"), "{a} {b[0]} {c.x}".format(a=1, b=[2], c={"x": 3}), "{{}}".format(), "{!r}".format("q"), "{:>5}|{:<5}|{:^5}|{:*^7}|{:05d}".format("a", "b", "c", "d", 42)
"{:.2f} {:,} {:+d} {:x} {:#x} {:b} {:e} {:%} {:g} {:10.3f}| {:_}".format(3.14159, 1234567, 5, 255, 255, 5, 12345.678, 0.25, 0.0001, 2.5, 1234567)
"{:{w}}|{:>{w}.{p}f}".format("a", 3.14159, w=6, p=2), "{:5}|{:5}|{:<5}|{}".format("a", 1, 1, 1.0), "{:s} {!s}".format("a", 5), "{:.3}".format("abcdef"), "{:.3}".format(3.14159), "{:.1}".format(10.0), "{:c}".format(65)
"{}".format(none), "{} {}".format(true, missing), "{:d}".format(true)
"{".format()
"{0}".format()
"{x}".format()
"{:d}".format("a")
"{:10}".format(none)
[1, "a'b", 'c"d', "e'\"f", none, true, 1.0, (1,), {"k": [1]}, missing]|string
["\n\t\\", "é\x00\x7f\xa0\u200b🎉\ud7ff"]|string
{"a": "b"}, {1: 2, "x": none}, {(1, 2): 3}
{[1]: 2}
{"a": 1, "a": 2}, {1: "a", true: "b"}
[1] + [2], (1,) + (2,), "a" * 3, 2 * [1, 2], [1] * 0, "ab" * -1
[1] + (2,)
"a" + 1
1 + "a"
"a" - "b"
[] - 1
1 / 0
1 // 0
1 % 0
-"a"
+t, -t, +2.5, -big
9223372036854775807 + 0, -9223372036854775807 - 1
dict(a=1, b=2), dict({"x": 1}, y=2), dict([("a", 1)]), namespace(a=1).a, namespace({"q": 2}).q, namespace(a=1).b is defined
namespace(_x=1)
l.append(4)
d.update({"x": 1})
l.sort is defined, d.pop is undefined, s.__class__ is defined
l.index(1), l.count(3), l.copy(), d.copy() == d, (1, 2).index(2)
l.index(99)
5.upper()
s()
l("x")
raise_exception("stop here")
raise_exception()
s|nope
s is nope
s|upper(1)
s|default(1, 2, 3, 4)
s|join(attribute=1, nope=2)
l|map|list
l|map("nope")|list
l|select("nope")|list
s|attr("upper") is defined, d|attr("b") is defined, s|attr("nope") is undefined
(range(3)|map("string"))|first, s.upper(), s.lower()|length, "x".join(["a", "b"])|upper
strftime_now("%Y-%m-%d %d %b %Y %H:%M"), strftime_now("")
cycler("a", "b").next()
1 is number is odd
[1, 2, 3,], (1, 2,), {"a": 1,}
d.a["x"][2], d["a"].x[1:], people[0].name[0], people[-1]["city"]|upper
people[0]["age"] + people[1].age, people|length * 2, l|length + 1, -l|length
s.split(", ")[1][0:3], (s ~ "!")|length, (s + "!").upper()
(1, 2) == (1, 2), {"a": 1} == {"a": 1.0}, [missing] == [missing], s == "Hello, World", [1, [2]] != [1, [2]]
big, big + 0.0, big == 9007199254740992.0, 1e16|int, 2 ** 62
"a" in ["a"], "a" in ("b",), 1 in {1: 2}, "x" not in "abc", [1] in [[1]], none in [none]
loop is undefined, caller is undefined
people|map(attribute="name")|list|tojson, (d|items|list)|tojson, d.keys()|list|tojson
n[1:]
d[1:]
missing[1:]
"x"|filesizeformat
5|truncate
9007199254740993 / 3, -7 / 9223372036854775807, 9223372036854775807 / 9007199254740993, 0 / -5, (2 ** 62 + 257) / 1, 1 / 3
l|truncate, "x" % missing, 3 / big, t / big, missing|last is undefined, "x"|int(3, "q"), d|int(5, [])
"a\nb".splitlines("x")
(html|safe)[::2], (html|safe)|list|first, html|e|striptags, "&amp;lt; &quot;x&#39; & &x;"|striptags
"äöü"|length, "äöü"[1], "äöü"|upper, "äöü"|reverse, "äöü"|tojson, "äöü"|list, "ÄÖ".lower()
""" 

# Whole templates.
TEMPLATES = [
    "plain text", "", "\n", "a\n", "a\n\n", "\n\na", "a\r\nb\rc\n",
    "{{ 'x' }}\n", "{{ 'x' }}\n{{ 'y' }}\n\n", "{# c #}\nx", "a {# c #} b", "a\n  {# c #}\n  b", "{#- c -#} x", "a {#- c -#} b", "{#\nmany\nlines\n#}\nx",
    "{% if t %}\n  yes\n{% endif %}\nend", "  {% if t %}\n  yes\n  {% endif %}\nend", "x  {% if t %}y{% endif %}", "  {%+ if t %}\n  yes\n  {%+ endif %}\nend",
    "{% if t +%}\nyes{% endif +%}\nend", "a \n {%- if t -%} \n b \n {%- endif -%} \n c", "a \n {{- 'x' -}} \n b", "a \n {{+ 'x' }} \n b", "{{-1}}", "{{ -1 }}", "{{+1}}",
    "{%- for i in l -%}\n {{ i }}\n{%- endfor -%}\n", "{% for i in l %}\n{{ i }}\n{% endfor %}\n", "   {% for i in l %}{{ i }}{% endfor %}   \n  x",
    "{% raw %}{{ x }} {% if %}{% endraw %}!", "{% raw -%}  \n a  {%- endraw %}\nb", "a\n  {% raw %}\n b\n  {% endraw %}\nc", "{%- raw %} x {% endraw -%} y", "{% raw %}{% raw %}{% endraw %}",
    "{% set x = 5 %}{{ x }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set (a, b) = [1, 2] %}{{ a + b }}", "{% set a, (b, c) = 1, [2, 3] %}{{ a }}{{ b }}{{ c }}", "{% set a, b = [1] %}", "{% set a, b = 'xyz' %}",
    "{% set x %}hi {{ n }}{% endset %}[{{ x }}]", "{% set x | upper %}hi{% endset %}{{ x }}", "{% set x | replace('i', 'o') | upper %}hi{% endset %}{{ x }}", "{% set x %}{% set y = 1 %}{% endset %}{{ y is defined }}",
    "{% for i in l %}{% set x = i %}{% endfor %}{{ x is defined }}", "{% set x = 0 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% if t %}{% set x = 1 %}{% endif %}{{ x }}",
    "{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b is defined }}{{ ns }}",
    "{% set d.x = 1 %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% set ns = namespace(a=1) %}{% set ns.a, b = 5, 6 %}{{ ns.a }}{{ b }}",
    "{% for i in l %}{{ loop.index }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.depth }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }}{{ loop.previtem is defined }} {% endfor %}", "{% for i in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for i in [1,1,2,2,1] %}{{ loop.changed(i) }} {% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{% for i in l %}x{% else %}none{% endfor %}", "{% for i in missing %}x{% else %}none{% endfor %}", "{% for i in [1] %}{% continue %}{% else %}E{% endfor %}", "{% for i in [1] %}{% break %}{% else %}E{% endfor %}",
    "{% for i in range(10) if i is odd %}{{ i }}{{ loop.last }}{{ loop.length }} {% endfor %}", "{% for i in range(10) if i > 20 %}x{% else %}none{% endfor %}", "{% for p in people if p.age == 30 %}{{ p.name }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for c in 'abü' %}<{{ c }}>{% endfor %}", "{% for i in 5 %}{% endfor %}", "{% for i in none %}{% endfor %}",
    "{% for i in range(10) %}{% if i == 3 %}{% continue %}{% endif %}{% if i == 6 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in l %}{% for j in l %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }}{% endfor %};{% endfor %}",
    "{% for x in nest recursive %}[{{ x.v }}{{ loop.depth }}{% if x.kids %}{{ loop(x.kids) }}{% endif %}]{% endfor %}", "{% for i in l %}{{ loop(l) }}{% endfor %}", "{% for i in l %}{% for j in l %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for i in l %}{% set outer = loop %}{% for j in [1, 2] %}{{ outer.index }}.{{ loop.index }} {% endfor %}{% endfor %}", "{% for i in l %}{{ loop.nope is defined }}{% endfor %}", "{% for i in l %}{{ loop }}{% endfor %}",
    "{% for loop in l %}{% endfor %}", "{% for i in l %}{% for j in [] recursive %}{% else %}{% break %}{% endfor %}{% endfor %}", "{% for i in l %}{% set loop = 1 %}{% endfor %}", "{{ loop }}", "{% break %}", "{% for i in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for i in l %}{% set ns = namespace(c=loop.last) %}{{ ns.c }}{% endfor %}", "{% for m in people %}{{ loop.nextitem.name if loop.nextitem is defined }}{{ '|' if not loop.last }}{% endfor %}",
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c='y') }}{{ m(b=5, a=6) }}{{ m() }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}", "{% macro f(a, b=1, c) %}{% endmacro %}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{{ n }}{% endcall %}", "{% macro m() %}{{ caller(1, y=2) }}{% endmacro %}{% call(x, y) m() %}{{ x }}{{ y }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}", "{% call 5 %}{% endcall %}",
    "{% macro m() %}{{ q }}{% endmacro %}{% set q = 5 %}{{ m() }}", "{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(5) }}", "{% macro m() %}{{ m2() }}{% endmacro %}{% macro m2() %}2{% endmacro %}{{ m() }}", "{% set q = 1 %}{% macro m() %}{% set q = 2 %}{{ q }}{% endmacro %}{{ m() }}{{ q }}",
    "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(a, b) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.caller }}", "{% macro m() %}a{% endmacro %}{{ m() ~ m()|upper }}{{ m }}", "{% set x = 1 %}{% macro m(l) %}{% for i in l %}{{ i }}{{ x }}{% endfor %}{% endmacro %}{{ m(l) }}",
    "{% macro m(kwargs) %}{{ kwargs }}{% endmacro %}{{ m(1) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}", "{% macro m(a, b) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, *[2, 3], z=4, **{'y': 5}) }}",
    "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}aXa{% endfilter %}", "{% filter trim %}  x  {% set y = 1 %}{% endfilter %}{{ y is defined }}", "{% filter nope %}x{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with %}{% set z = 1 %}{{ z }}{% endwith %}{{ z is defined }}",
    "{% generation %}x{{ n }}{% endgeneration %}y", "{% for i in l %}{%- generation -%} {{ i }} {% endgeneration %}{% endfor %}", "{% print n, s %}", "{% if n > 5 %}big{% elif n > 3 %}mid{% else %}small{% endif %}", "{% if fa %}a{% elif t %}b{% elif t %}c{% else %}d{% endif %}", "{% if fa %}a{% endif %}b", "{% if l and (not e) %}x{% endif %}",
    "{% if t: %}x{% endif %}", "{% set j = joiner(', ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}", "{% set c = cycler('a', 'b') %}{% for i in l %}{{ c.next() }}{{ c.current }}{% endfor %}{{ c.reset() }}{{ c.next() }}",
    "{% if fa %}{{ s|nope }}{% endif %}ok", "{% if t %}{{ s|nope }}{% endif %}", "{{ (s|nope) if fa else 'ok' }}", "{{ 'ok' if t else s is nope }}", "{% if t %}{% for i in l %}{{ i|nope }}{% endfor %}{% endif %}", "{% if s|nope %}{% endif %}", "{% for i in l if i is nope %}{% endfor %}",
    "{{ x", "{% if t", "{% if t %}", "{% endif %}", "{% nope %}", "{{ 'abc }}", "{{ a b }}", "{{ }}", "{% for i %}{% endfor %}", "{% for in l %}{% endfor %}", "{% set %}", "{% set 5 = 1 %}", "{% set x = %}", "{{ (1 }}", "{{ [1, }}", "{{ 1) }}", "{{ {1} }}", "{# open", "{% raw %}", "{{ a. }}", "{{ a[ }}", "{{ a[1 }}", "{{ f(a=1, 2) }}", "{{ 1 if }}", "{{ not }}", "{{ a | }}", "{{ a is }}", "{{ ! }}", "{{ a $ b }}", "{% for i in l %}{% else %}", "{% if t %}{% else %}{% elif t %}{% endif %}", "{% macro %}{% endmacro %}", "{% set true = 1 %}", "{{ '\\u12' }}", "{{ '\\xZZ' }}", "{{ 007 }}", "{{ 1__0 }}", "{{ a.1b }}", "{{ 1.e }}",
    "{{ {'a': {'b': 1}} }}{{ '}}' }}{{ \"%}\" }}", "{{ {'a': 1}['a'] }}", "{{{'a': 1}.a}}", "{% set x = {'a': {'b': [1, {'c': 2}]}} %}{{ x.a.b[1].c }}", "{{\n  s\n}}", "{%\n set x\n = 1 %}{{ x }}",
    "{% set m = people %}{% for p in m[1:] %}{{ p.name }}{% endfor %}{{ m[0]['name'] }}", "{% set x = (people | selectattr('age', 'equalto', 30) | list) %}{{ x | length }}{{ x[0].name }}", "{{ people | map(attribute='age') | sum }}", "{% for g, items in people|groupby('age') %}{{ g }}:{{ items|map(attribute='name')|join('+') }};{% endfor %}",
    "{% for x in l|sort %}{{ x }}{% endfor %}", "{% for i in range(3) %}{% for j in range(i) %}{{ j }}{% endfor %}|{% endfor %}", "{% set out = [] %}{% for i in l %}{% set out = out + [i * 2] %}{% endfor %}{{ out }}", "{% set ns = namespace(out=[]) %}{% for i in l %}{% set ns.out = ns.out + [i * 2] %}{% endfor %}{{ ns.out }}",
    "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}", "{% set g = l|select %}{{ g|first }}{{ g|list }}", "{% set r = l|reverse %}{% for i in r %}{{ i }}{% endfor %}{% for i in r %}{{ i }}{% endfor %}",
    "{%- macro outer() -%}{%- macro inner(x) -%}<{{ x }}>{%- endmacro -%}{{ inner(1) }}{%- endmacro -%}{{ outer() }}", "{% set f = s.upper %}{{ f() }}", "{{ l.copy()|length }}", "{% set x = 1 %}{% set x = x + 1 %}{{ x }}{% if t %}{% set x = 9 %}{% endif %}{{ x }}",
    "{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}", "x{% set _ = 1 %}{{ _ }}", "{{ '%s' % caller }}", "{% set ü = 3 %}{{ ü }}", "{{ messages is defined }}{{ tools is none }}{{ documents is none }}{{ add_generation_prompt }}",
    "{% for i in l -%}\n  {{ i }}\n{%- if not loop.last %},{% endif %}\n{% endfor %}", "{%- if t %}\n\n  A\n\n{%- endif %}\n\nB\n", "\t{% if t %}\t\n\tx\n\t{% endif %}\t\n", "{{ ' a\n' }}\n\n{%- if t %}x{% endif -%}\n\n y", "\u00a0{%- if t %}x{% endif %}", "a\u00a0\u2003{{- 'x' }}", "x{{ '' }}\n{% if t %}\n{% endif %}\ny",
    "{% set x = 'a' if t else 'b' %}{{ x }}{{ 'c' if fa else 'd' if fa else 'e' }}", "{{ (l|length > 2) and (s|length) }}", "{{ l | map('string') | join(', ') | upper ~ '!' }}", "{{ -1|abs }}{{ (-1)|abs }}{{ 2 ** 3 ** 2 }}{{ 1 - 2 - 3 }}{{ 2 * 3 % 4 }}{{ 'a' ~ 1 + 2 }}{{ 1 + 2 ~ 'a' }}",
    "{{ not t == fa }}{{ not (t == fa) }}{{ t == (not fa) }}{{ 1 + 1 == 2 and not fa }}", "{{ 1 if t if fa else 2 }}", "{{ [1, 2][t] }}{{ 'ab'[t] }}{{ {true: 'x'}[1] }}", "{{ d['a']['x'] is sequence and d['a']['x'] is not string }}", "{{ people[0].get('name') }}{{ people[0].get('zip', 'none') }}{{ 'name' in people[0] }}",
]


def sources():
    """Every small template."""
    for line in EXPRESSIONS.strip(" \n").replace("\\\n", "\\\r").split("\n"):
        yield "{{ " + line.replace("\\\r", "\\\n") + " }}"
    yield from TEMPLATES
