#!/usr/bin/env python3
"""Records what transformers makes of templates: tests/golden/chat_template/.

    python tools/goldens/chat_template.py        # needs: pip install transformers (5.x) jinja2 (3.1)

language.json: small templates, one construct each, with their output, or the class of the error. chats.json: templates
written here that use the constructs of published ones, each over the same conversations.
"""
import datetime
import json
import pathlib
import re

from transformers.utils import chat_template_utils

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/chat_template"
NOW = 1753000000  # 20 July 2025, 08:26:40 UTC

VARIABLES = {
    "s": "Hello, World", "u": "Straße ÉCOLE ﬁn 日本 👍🏽 ς", "pad": "  \t x y \n ", "empty": "", "n": 7, "neg": -7, "f": 2.5,
    "t": True, "no": None, "xs": [3, 1, 2], "words": ["b", "A", "c", "a"], "nested": [[1, 2], [3, [4, 5]], []],
    "d": {"b": 1, "a": "x", "items": "shadowed", "k k": None, "l": [1, 2]},
    "people": [{"name": "Zoe", "age": 31, "pet": {"kind": "cat"}}, {"name": "adam", "age": 25},
               {"name": "Bea", "age": 31, "pet": {"kind": "dog"}}],
    "quotes": "it's \"q\" \\ \n\t\u0000\u200b é", "html": "<a href='x'>T&amp;C</a> <!-- c --> b",
    "deep": {"a": [{"b": [1.0, 1e20, 1.5e-7, True, None]}]}, "q": '"',
}

# Between two of them stands a broken bar or the end of a line (but not one after a backslash).
EXPRESSIONS = r"""
1 + 2 * 3 ¦ 7 - -2 ¦ 7 / 2 ¦ 8 / 2 ¦ 7 // 2 ¦ -7 // 2 ¦ 7.5 // 2 ¦ -7.5 // 2 ¦ 7 % 3 ¦ -7 % 3 ¦ 7 % -3 ¦ -7.5 % 2 ¦ 2 ** 10 ¦ 2 ** -1 ¦ 2 ** 3 ** 2 ¦ -2 ** 2
0 ** 0 ¦ 4.0 ** 0.5 ¦ 1 / 0 ¦ 1 // 0 ¦ 1 % 0 ¦ 1.5 % 0 ¦ 0 ** -1 ¦ 9223372036854775807 ¦ -9223372036854775807 - 1 ¦ 1_000 ¦ 0x1F ¦ 0o17 ¦ 0b101 ¦ 1e3
1.5e-3 ¦ 1.0 ¦ 1e16 ¦ 1e15 ¦ 123456789012345680.0 ¦ 1e-4 ¦ 1e-5 ¦ 1.5e300 * 1e10 ¦ 0.1 + 0.2 ¦ 3.0 * 2 ¦ true + true ¦ true * 3.5 ¦ -true ¦ +1.5 ¦ - -3
"a" + "b" ¦ "a" * 3 ¦ 3 * "ab" ¦ "a" * -1 ¦ "a" ~ 1 ~ none ~ 1.0 ¦ [1] + [2] ¦ [0] * 3 ¦ (1,) + (2,) ¦ (1, 2) * 2 ¦ "a" + 1 ¦ 1 + "a" ¦ [1] + (2,)
none + 1 ¦ undef + 1 ¦ 1 + undef ¦ "x" * 1.5 ¦ [1] - [1] ¦ -"a" ¦ +none
1 < 2 ¦ 1 < 2 < 3 ¦ 1 < 3 < 2 ¦ 3 > 2 >= 2 != 1 ¦ 1 == 1.0 ¦ true == 1 ¦ "a" < "b" ¦ "Z" < "a" ¦ "é" > "z" ¦ [1, 2] < [1, 3] ¦ [1] < [1, 0] ¦ (1, 2) == (1, 2)
[1] == (1,) ¦ {"a": 1} == {"a": 1.0} ¦ none == none ¦ none == false ¦ undef == undef ¦ undef == none ¦ 1 < "a" ¦ none < 1 ¦ undef < 1 ¦ "1" == 1 ¦ {} < {}
1 in [1, 2] ¦ "a" in "cat" ¦ "" in "x" ¦ 1 in "a" ¦ 1 in none ¦ "b" in d ¦ "x" in d ¦ 3 not in xs ¦ 1 in undef ¦ undef in "a" ¦ undef in [1] ¦ 1 in (1, 2) ¦ 2 in range(3) ¦ [] in [[]] ¦ [] in {} ¦ 2.0 in range(3)
not 1 ¦ not "" ¦ not [] ¦ not undef ¦ 1 and 2 ¦ 0 and 2 ¦ 0 or "x" ¦ "" or none ¦ 1 and undef ¦ not 1 == 2 ¦ true and not false ¦ none or [] ¦ 1 or 1/0
1 if true else 2 ¦ 1 if false else 2 ¦ 1 if false ¦ "a" if undef else "b" ¦ 1 if 0 else 2 if 0 else 3 ¦ (1 if true else 2) + 3
xs[0] ¦ xs[-1] ¦ xs[5] ¦ xs["a"] ¦ xs[true] ¦ d.a ¦ d["a"] ¦ d.items ¦ d["items"] ¦ d.zzz ¦ d["zzz"] ¦ d.zzz.y ¦ undef.x ¦ undef["x"] ¦ undef[0] ¦ no.x ¦ no[0] ¦ n.x ¦ n[0] ¦ s[0] ¦ s[-1] ¦ s[99]
s.foo ¦ u[9] ¦ u[13] ¦ d.l.0 ¦ d.l[1] ¦ nested[1][1][0] ¦ nested.1.1.0 ¦ people.0.name ¦ people[0]["pet"].kind ¦ xs[0:2] ¦ xs[::-1] ¦ xs[-2:] ¦ xs[:-1] ¦ xs[::2] ¦ xs[5:] ¦ xs[2:0:-1]
s[2:5] ¦ s[::-1] ¦ s[-5:] ¦ s[::3] ¦ u[5:14] ¦ u[::-1] ¦ u[-4:-1] ¦ (1, 2, 3)[1:] ¦ range(10)[2:8:3] ¦ range(10)[::-1] ¦ xs[::0] ¦ xs["a":] ¦ undef[1:] ¦ d[1:] ¦ n[1:] ¦ xs[none:2] ¦ range(5)[2] ¦ range(5)[-1] ¦ range(5)[9]
[1, 2, [3]] ¦ (1,) ¦ () ¦ (1, 2) ¦ 1, 2 ¦ {} ¦ {"a": 1, 2: [none, true], (1, 2): 1.5} ¦ {"a": 1, "b": 2, "a": 3} ¦ {[1]: 2} ¦ {1: "i", true: "b", 1.0: "f"} ¦ ["a" "b" 'c'] ¦ [1,] ¦ {"a": 1,} ¦ [none, True, False, none]
'it\'s' ¦ "q\"q" ¦ 'a\nb\tc' ¦ "\x41\u00e9\U0001F600" ¦ '\101\0' ¦ "\q" ¦ 'a\
b' ¦ "é" ¦ "tab	in"
quotes ¦ [quotes] ¦ ["'", '"', "'\""] ¦ [u] ¦ [1.0, 1e100, -0.0] ¦ [undef] ¦ [no] ¦ (xs, d) ¦ d.keys() ¦ d.values() ¦ d.items() ¦ range(3) ¦ range(1, 7, 2) ¦ xs ¦ nested ¦ deep
s.upper() ¦ s.lower() ¦ u.upper() ¦ u.lower() ¦ u.title() ¦ u.capitalize() ¦ u.swapcase() ¦ u.casefold() ¦ "ΑΣ ΑΣΑ Σ".lower() ¦ "o'neil x-ray 3rd".title() ¦ "ŉ ǰ ﬃ".upper() ¦ "ǆ ß".title()
pad.strip() ¦ pad.lstrip() ¦ pad.rstrip() ¦ "xxhixx".strip("x") ¦ "abcba".strip("ab") ¦ "abc".lstrip("ba") ¦ "éaé".strip("é") ¦ "\u00a0x\u3000".strip() ¦ "\x1cx".strip() ¦ s.strip(none) ¦ s.strip(1)
"a b  c ".split() ¦ "a,b,,c".split(",") ¦ "a,b,c".split(",", 1) ¦ "a b c".split(none, 1) ¦ " a  b c ".rsplit(none, 1) ¦ "a,b,c".rsplit(",", 1) ¦ "abc".split("") ¦ "".split() ¦ "".split(",") ¦ "a--b--c".split("--") ¦ "a, b".split(sep=", ") ¦ "1<>2<>3".split("<>")[-1]
"a\nb\r\nc\x0bd\u2028e".splitlines() ¦ "a\nb\n".splitlines(true) ¦ "".splitlines() ¦ "a=b=c".partition("=") ¦ "a=b=c".rpartition("=") ¦ "abc".partition("x") ¦ "abc".rpartition("x")
s.startswith("Hell") ¦ s.startswith(("x", "H")) ¦ s.endswith("ld") ¦ s.endswith(("d",)) ¦ s.startswith("ello", 1) ¦ s.startswith("W", -5) ¦ s.startswith(1) ¦ s.startswith("") ¦ s.endswith("", 99) ¦ s.endswith("lo", 0, 5)
s.find("o") ¦ s.find("o", 5) ¦ s.find("zz") ¦ s.rfind("o") ¦ s.index("W") ¦ s.index("zz") ¦ s.rindex("l") ¦ u.find("日") ¦ u.rfind("👍") ¦ s.count("l") ¦ s.count("") ¦ "aaaa".count("aa") ¦ s.count("l", 4) ¦ s.find("") ¦ s.find("", 99)
s.replace("l", "L") ¦ s.replace("l", "L", 2) ¦ s.replace("", "-") ¦ s.replace("", "-", 2) ¦ "".replace("", "x") ¦ s.replace("zz", "y") ¦ u.replace("ß", "ss") ¦ s.replace("o") ¦ s.replace("o", 1)
", ".join(words) ¦ "-".join("abc") ¦ "".join([]) ¦ ",".join([1]) ¦ ",".join(d) ¦ "x".join(("a",)) ¦ "ab".center(7, "*") ¦ "abc".center(8) ¦ "ab".ljust(5) ~ "|" ¦ "ab".rjust(5, ".") ¦ "42".zfill(5) ¦ "-42".zfill(5) ¦ "ab".center(1)
"12".isdigit() ¦ "1²".isdigit() ¦ "½".isnumeric() ¦ "½".isdigit() ¦ "".isdigit() ¦ "abC".isalpha() ¦ "a1".isalnum() ¦ " \n".isspace() ¦ "AB1".isupper() ¦ "ab".islower() ¦ "Ab Cd".istitle() ¦ "a_1".isidentifier() ¦ "1a".isidentifier() ¦ "é".isascii() ¦ "a\n".isprintable() ¦ "123".isupper() ¦ "١٢".isdecimal()
"prefix-x".removeprefix("prefix-") ¦ "x.txt".removesuffix(".txt") ¦ "a\tb".expandtabs(4) ¦ "{} and {}".format(1, "x") ¦ "{1}{0}".format("a", "b") ¦ "{x.a[l]} {0[0]}".format([9], x={"a": {"l": 3}}) ¦ "{:>6}|{:<4}|{:^5}|".format("a", "b", "c") ¦ "{:05d} {:.2f} {:,} {:x} {:#o} {:e}".format(42, 3.14159, 1234567, 255, 8, 12345.678)
"{!r:>5}".format("a") ¦ "{{}}".format() ¦ "{".format(1) ¦ "{}".format() ¦ "{:*^9}".format("mid") ¦ "{:+} {: }".format(3, 4) ¦ "{:%}".format(0.25) ¦ "{0} {}".format(1) ¦ "{a}".format(b=1) ¦ "{:.3}".format("abcdef") ¦ "{:10.3f}|".format(2.5) ¦ "{:g}".format(1e10) ¦ "{a}".format_map({"a": 1})
"%s-%d-%r" % ("a", 3, "b") ¦ "%5.1f|%-5s|%05d|%+d" % (2.25, "x", 42, 7) ¦ "%(a)s %(b)d" % {"a": 1, "b": 2} ¦ "%s" % none ¦ "%s" % (none,) ¦ "%d" % "x" ¦ "%s %s" % "a" ¦ "%s" % ("a", "b") ¦ "100%%" % () ¦ "%x %X %o %c %e %g" % (255, 255, 8, "z", 1234.5, 0.0001) ¦ "%.2s" % "abc" ¦ "%s" % [1, 2] ¦ "%q" % 1 ¦ "%i" % 3.9 ¦ "%#x" % 255 ¦ "%*d" % (5, 3)
d.get("a") ¦ d.get("zz") ¦ d.get("zz", 5) ¦ d.keys() | list ¦ d.values() | list ¦ d.items() | list ¦ d.items() | length ¦ d.keys()[0] ¦ d.copy().a ¦ d.pop("a") ¦ xs.append(4) ¦ xs.count(1) ¦ xs.index(2) ¦ xs.index(9) ¦ xs.copy() ¦ (1, 2, 1).count(1) ¦ d.update({}) ¦ xs.sort() ¦ d.get([1]) ¦ d.get(undef) ¦ dict(d, z=1).z ¦ dict([["a", 1]]) ¦ dict(a=1, b=2) ¦ xs.pop()
"".__class__ ¦ xs.__len__() ¦ s.format.__self__ ¦ d.__getitem__("a") ¦ s._x ¦ d._x ¦ s() ¦ none() ¦ undef() ¦ d.a() ¦ xs.foo() ¦ namespace.__init__ ¦ range.__class__.__mro__ ¦ s.upper.__func__
undef ¦ undef is defined ¦ s is defined ¦ d.zz is defined ¦ undef is undefined ¦ no is none ¦ s is none ¦ undef is none ¦ s is string ¦ n is string ¦ d is mapping ¦ xs is mapping ¦ xs is sequence ¦ s is sequence ¦ d is sequence ¦ n is sequence ¦ undef is sequence ¦ range(3) is sequence ¦ d.keys() is sequence ¦ d.items() is iterable ¦ xs is iterable ¦ n is iterable ¦ undef is iterable ¦ no is iterable
n is number ¦ f is number ¦ t is number ¦ s is number ¦ n is integer ¦ t is integer ¦ f is float ¦ n is float ¦ t is boolean ¦ n is boolean ¦ t is true ¦ 1 is true ¦ false is false ¦ 0 is false ¦ s.upper is callable ¦ s is callable ¦ undef is callable ¦ range is callable ¦ n is odd ¦ n is even ¦ n is divisibleby 7 ¦ n is divisibleby(2) ¦ "a" is lower ¦ "A" is upper ¦ "a" is not upper
n is eq 7 ¦ n is equalto(7) ¦ n is ne 7 ¦ n is gt 5 ¦ n is ge(7) ¦ n is lt 5 ¦ n is le 7 ¦ n is greaterthan 6 ¦ n is lessthan 6 ¦ n is in [7] ¦ n is in xs ¦ "b" is in d ¦ t is sameas true ¦ 1 is sameas true ¦ none is sameas none ¦ "trim" is filter ¦ "nope" is filter ¦ "odd" is test ¦ s is escaped ¦ s|e is escaped ¦ n is not number ¦ n is not none and s is string ¦ s is nope ¦ n is odd is even ¦ no is not none ¦ n is not in xs ¦ not n is even ¦ n is eq(7) and f is eq 2.5
s|upper ¦ s|lower ¦ s|title ¦ s|capitalize ¦ "foo-bar (baz) <q[x {y".title() ¦ "foo-bar (baz) <q[x {y"|title ¦ pad|trim ¦ "xxax"|trim("x") ¦ s|trim(chars="Hd") ¦ s|replace("l", "1") ¦ s|replace("l", "1", 1) ¦ n|replace(7, 8) ¦ s|length ¦ u|length ¦ xs|length ¦ d|length ¦ undef|length ¦ n|length ¦ range(4)|length ¦ s|count ¦ xs|first ¦ xs|last ¦ []|first ¦ []|last ¦ s|first ¦ s|last ¦ d|first ¦ undef|first ¦ none|first ¦ range(3)|last
xs|sort ¦ xs|sort(reverse=true) ¦ words|sort ¦ words|sort(case_sensitive=true) ¦ words|sort(true) ¦ people|sort(attribute="age")|map(attribute="name")|list ¦ people|sort(attribute="age,name")|map(attribute="name")|join(" ") ¦ [1, "a"]|sort ¦ [none]|sort ¦ d|dictsort ¦ {"b": 1, "A": 2}|dictsort ¦ {"b": 1, "A": 2}|dictsort(true) ¦ {"b": 1, "A": 2}|dictsort(by="value") ¦ {"b": 1, "A": 2}|dictsort(by="x") ¦ xs|reverse|list ¦ s|reverse ¦ xs|reverse|join ¦ d|reverse|list
xs|join ¦ xs|join(", ") ¦ people|join(", ", attribute="name") ¦ [1, none, undef, true]|join("-") ¦ s|join(".") ¦ undef|join ¦ none|join ¦ xs|list ¦ s|list ¦ d|list ¦ n|list ¦ xs|sum ¦ [0.5, 1]|sum ¦ people|sum(attribute="age") ¦ xs|sum(start=10) ¦ []|sum ¦ ["a"]|sum ¦ xs|min ¦ xs|max ¦ words|min ¦ words|max(case_sensitive=true) ¦ []|min ¦ people|max(attribute="age") ¦ people|min(attribute="name")
xs|map("string")|list ¦ words|map("upper")|join ¦ people|map(attribute="name")|list ¦ people|map(attribute="pet.kind")|list ¦ people|map(attribute="pet.kind", default="none")|list ¦ xs|map|list ¦ xs|map("nope")|list ¦ nested|map("length")|list ¦ words|map("replace", "a", "4")|list ¦ undef|map("upper")|list ¦ nested|map(attribute=0)|list ¦ people|map("attr", "name")|list ¦ xs|map("default", 1)|list
xs|select|list ¦ [0, 1, "", "a", none]|select|list ¦ xs|select("gt", 1)|list ¦ xs|select("odd")|list ¦ xs|reject("odd")|list ¦ people|selectattr("pet")|map(attribute="name")|list ¦ people|selectattr("age", "equalto", 31)|list|length ¦ people|selectattr("pet", "defined")|list|length ¦ people|rejectattr("pet")|list ¦ people|selectattr("pet.kind", "eq", "cat")|list|length ¦ people|rejectattr("age", "gt", 30)|first ¦ xs|select("nope")|list ¦ xs|selectattr|list ¦ words|select("in", ["a", "b"])|list ¦ xs|select("gt", 5)|first
[1, 1, "a", "A", 2]|unique|list ¦ [1, 1, "a", "A"]|unique(case_sensitive=true)|list ¦ people|unique(attribute="age")|map(attribute="name")|list ¦ xs|batch(2)|list ¦ xs|batch(2, 0)|list ¦ xs|slice(2)|list ¦ range(7)|slice(3, "x")|list ¦ people|groupby("age")|list|length ¦ people|groupby("age")|map(attribute="grouper")|list ¦ people|groupby("age")|map("last")|map("length")|list ¦ people|groupby("pet.kind", default="-")|map("first")|list
undef|default("x") ¦ undef|default ¦ no|default("x") ¦ no|default("x", true) ¦ ""|d("x", boolean=true) ¦ 0|default(1) ¦ d.zz|default(d.a) ¦ undef.x|default(1) ¦ d|attr("a") ¦ s|attr("upper") ¦ s|attr("nope") ¦ d|items|list ¦ undef|items|list ¦ xs|items|list
"42"|int ¦ "4.7"|int ¦ "x"|int ¦ "x"|int(5) ¦ "0x1F"|int(0, 16) ¦ "1F"|int(base=16) ¦ "101"|int(0, 2) ¦ none|int ¦ 4.9|int ¦ -4.9|int ¦ true|int ¦ "1_000"|int ¦ " 12 "|int ¦ ""|int ¦ undef|int ¦ "1e3"|int ¦ "3.5"|float ¦ "x"|float ¦ "x"|float(1.5) ¦ 7|float ¦ none|float ¦ "inf"|float ¦ "-1e-3"|float ¦ xs|int ¦ "٣" ¦ isdigit ¦ -7|abs ¦ -2.5|abs ¦ "a"|abs ¦ true|abs
2.5|round ¦ 3.5|round ¦ 2.567|round(2) ¦ 2.567|round(1, "floor") ¦ 2.51|round(0, "ceil") ¦ 7|round ¦ 1234|round(-2) ¦ 1250|round(-2) ¦ 1350|round(-2) ¦ 1234.5|round(-2) ¦ 2.675|round(2) ¦ 2.5|round(method="x") ¦ 0.5|round ¦ 1e300|round(2) ¦ "a"|round ¦ 1.0|round(3)
s|wordcount ¦ "a-b c_d e's 1"|wordcount ¦ "a\nb\n\nc"|indent ¦ "a\nb\n\nc"|indent(2, true) ¦ "a\nb\n\nc"|indent(2, blank=true) ¦ "a\nb"|indent("> ") ¦ "a\nb"|indent(width=1, first=true) ¦ ""|indent ¦ "a\n"|indent ¦ n|indent ¦ s|center(20) ¦ "|" ~ "x"|center(4) ~ "|" ¦ "The quick brown fox jumps"|truncate(10) ¦ "The quick brown fox jumps"|truncate(10, true) ¦ "The quick brown fox jumps"|truncate(10, end="~", leeway=0) ¦ "short"|truncate(3) ¦ "abcdefghij"|truncate(2) ¦ u|truncate(8, true, "", 0)
"%s|%s"|format(1, 2) ¦ "%(a)s"|format(a=1) ¦ "%s"|format(1, a=2) ¦ "%d items"|format(3) ¦ xs|string ¦ no|string ¦ 1.0|string ¦ "a b/c?d=é&f"|urlencode ¦ {"a b": "c/d", "e": 1}|urlencode ¦ [("k", "v v")]|urlencode ¦ n|urlencode ¦ 1|filesizeformat ¦ 999|filesizeformat ¦ 1000|filesizeformat ¦ 1536|filesizeformat(true) ¦ 123456789|filesizeformat ¦ "1e15"|filesizeformat ¦ -1|filesizeformat
html|escape ¦ html|e|e ¦ html|safe ¦ html|striptags ¦ html|forceescape ¦ (html|e)|forceescape ¦ "<" ~ (html|e) ¦ "<" + (html|e) ¦ (html|safe) + "<" ¦ (html|e)|upper ¦ (html|e)|replace("&", "A") ¦ [("<"|e)] ¦ ("<i>%s</i>"|safe) % "<" ¦ ("a<"|e) * 2 ¦ ("<"|e).join(["<", ">"|safe]) ¦ {"a": "<", "b": none, "c": 1}|xmlattr ¦ {"a b": 1}|xmlattr ¦ {"a": 1}|xmlattr(false) ¦ ("<b>"|e)[0] ¦ ("<"|e) ~ "<" ¦ ("x<y"|e).split(";") ¦ (html|e)|length ¦ [html|e]|join("<") ¦ n|e ¦ none|escape ¦ ("<"|e) == "&lt;" ¦ {("<"|e): 1}
s|tojson ¦ quotes|tojson ¦ u|tojson ¦ u|tojson(ensure_ascii=true) ¦ d|tojson ¦ deep|tojson ¦ deep|tojson(indent=2) ¦ xs|tojson(indent=0) ¦ xs|tojson(separators=(",", ":")) ¦ d|tojson(separators=[",", ":"], sort_keys=true) ¦ d|tojson(sort_keys=true) ¦ d|tojson(indent="--") ¦ []|tojson(indent=4) ¦ {}|tojson(indent=4) ¦ [[], {}]|tojson(indent=1) ¦ undef|tojson ¦ (1, 2)|tojson ¦ {1: 2, none: 3, true: 4, 1.5: 5}|tojson ¦ {(1,): 2}|tojson ¦ html|tojson ¦ 1e100|tojson ¦ ("inf"|float)|tojson ¦ none|tojson ¦ d.items()|tojson ¦ range(3)|tojson ¦ range(3)|list|tojson ¦ s.upper|tojson ¦ {"b": 1, 1: 2}|tojson(sort_keys=true) ¦ "\x7f\x1f\u2028"|tojson ¦ d|tojson(true) ¦ d|tojson(indent=true) ¦ "<"|e|tojson
range(3)|list ¦ range(2, 5)|list ¦ range(5, 0, -2)|list ¦ range(0)|list ¦ range(1, 2, 0) ¦ range("a") ¦ range(1.5) ¦ range(100000)|length ¦ range(100001)|length ¦ range(10**9) ¦ range(3) == range(3) ¦ range() ¦ joiner() ¦ cycler() ¦ lipsum ¦ zzz() ¦ raise_exception("bad thing") ¦ raise_exception() ¦ strftime_now("%Y-%m-%d %H:%M") ¦ strftime_now("%d %b %Y") ¦ strftime_now("%A, %B %d, %Y|%j|%%") ¦ strftime_now("") ¦ namespace(a=1).a ¦ namespace({"a": 2}).a ¦ namespace(a=1).b ¦ namespace(a=[1]) ¦ namespace(_x=1) ¦ namespace(a=1)["a"] ¦ namespace(a=1) == namespace(a=1)
s | nope ¦ s is nope ¦ s | nope if false ¦ "a" if true else s|nope ¦ s | upper | lower | nope(1) ¦ (s|upper).lower() ¦ s|upper|replace("L", "l") ¦ -1|abs ¦ 1 + 2|string ¦ (1 + 2)|string ¦ 1.5|int + 1 ¦ s|length == 12 ¦ not s|length ¦ "a" ~ "b"|upper ¦ "%s" % s|upper ¦ 2 * 3|string ¦ [1, 2]|last + 1 ¦ s.split(", ")|map("lower")|join("/")
loop ¦ loop.index ¦ caller() ¦ varargs ¦ super() ¦ _("x") ¦ True ¦ None ¦ False ¦ TRUE ¦ null ¦ nil ¦ and ¦ a b ¦ 1 2 ¦ ( ¦ ) ¦ [1 ¦ {"a"} ¦ {"a": } ¦ "unclosed ¦ 1 + ¦ * 2 ¦ x y z ¦ a. ¦ a.1b ¦ a..b ¦ a[ ¦ a[] ¦ a[1,2] ¦ f( ¦ f(1 2) ¦ f(a=1, 2) ¦ f(*[1], *[2]) ¦ s.replace(*["l", "L"]) ¦ dict(**{"a": 1}) ¦ s.replace(**{"old": "l"}) ¦ dict(**[1]) ¦ a ¦ b ¦ 1 if ¦ is defined ¦ not ¦ x is ¦ x is not ¦ a ? b ¦ a & b ¦ a @ b ¦ $ ¦ `x` ¦ 1. ¦ .5 ¦ 1.e5 ¦ 1._5 ¦ 1__0 ¦ 0123 ¦ 00 ¦ 1e ¦ a\b ¦ # ¦ !x ¦ 1 =! 2 ¦ 1 = 2 ¦ 1 <> 2 ¦ a := 1 ¦ lambda x: x ¦ [x for x in xs] ¦ f"x" ¦ b"x" ¦ r"\n" ¦ "\u12" ¦ "\xg1"
""".strip("\n")

STATEMENTS = [
    # loops
    "{% for x in xs %}{{ x }},{% endfor %}", "{% for x in [] %}a{% else %}none{% endfor %}", "{% for x in undef %}a{% else %}none{% endfor %}",
    "{% for x in none %}{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for c in 'añ👍' %}[{{ c }}]{% endfor %}", "{% for k in d %}{{ k }};{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|items %}{{ k }}{% endfor %}", "{% for k, v in d|dictsort %}{{ k }}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, b in [[1]] %}{% endfor %}",
    "{% for a, b in [[1, 2, 3]] %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for a, b in ['xy'] %}{{ b }}{{ a }}{% endfor %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in xs %}{{ loop.previtem is defined }}{{ loop.nextitem.foo }}{% endfor %}",
    "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}", "{% for x in xs %}{{ loop }}{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}", "{% for x in xs %}{% set outer = loop %}{% for y in [1] %}{{ outer.index }}{% endfor %}{% endfor %}",
    "{% for x in xs if x > 1 %}{{ x }}{{ loop.length }}{% else %}e{% endfor %}", "{% for x in xs if x > 9 %}{{ x }}{% else %}e{% endfor %}", "{% for p in people if p.pet is defined %}{{ loop.index }}{{ p.name }}{% endfor %}",
    "{% for x in nested recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}", "{% for x in nested recursive %}{{ loop.depth }}{% if x is sequence and x %}{{ loop(x) }}{% endif %}{% endfor %}",
    "{% for x in xs %}{{ loop([1]) }}{% endfor %}", "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in [1, 2] %}{% for y in [1, 2] %}{% if y == 2 %}{% break %}{% endif %}{{ x }}{{ y }}{% endfor %}{% endfor %}", "{% break %}", "{% continue %}", "{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for x in xs %}{% filter upper %}a{% if x == 1 %}{% break %}{% endif %}b{% endfilter %}{% endfor %}", "{% for x in xs %}{% break %}{% else %}e{% endfor %}", "{% set x = 0 %}{% for x in xs %}{% endfor %}{{ x }}",
    "{% set i = 0 %}{% for x in xs %}{% set i = i + 1 %}{{ i }}{% endfor %}{{ i }}", "{% for x in xs %}{% if loop.first %}{% set seen = 1 %}{% endif %}{{ seen }}{% endfor %}", "{% for loop in xs %}{% endfor %}",
    "{% for x in xs: %}{{ x }}{% endfor %}", "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}", "{% for x, in [[1]] %}{{ x }}{% endfor %}", "{% for x in xs|map('string')|select %}{{ x }}{{ loop.last }}{% endfor %}", "{% for x in xs[::-1] %}{{ x }}{% endfor %}",
    "{% for x in xs %}{{ x }}", "{% for x %}{% endfor %}", "{% for in xs %}{% endfor %}", "{% for x in xs %}{% endif %}", "{% for x in %}{% endfor %}", "{% for x.y in xs %}{% endfor %}", "{% for 1 in xs %}{% endfor %}",
    "{% for x in xs if x in [1, 3] recursive %}{{ x }}{% endfor %}", "{% for x in xs %}{% include 'a' %}{% endfor %}", "{% for m in people %}{{ m.name }}{{ ', ' if not loop.last }}{% endfor %}", "{% for a in [1] %}{{ loop.parent }}{{ loop.nope }}{% endfor %}{{ loop }}",
    "{% for x in d.items() %}{{ x }}{% endfor %}", "{% for x in (1, 2) %}{{ x }}{% endfor %}", "{% for x in people|groupby('age') %}{{ x.grouper }}:{{ x.list|length }}:{{ x[0] }} {% endfor %}", "{% for g, l in people|groupby('age') %}{{ g }}{{ l|map(attribute='name')|join }}{% endfor %}",
    # if
    "{% if s %}a{% endif %}", "{% if not s %}a{% elif n == 7 %}b{% else %}c{% endif %}", "{% if undef %}a{% else %}b{% endif %}", "{% if undef.x %}a{% endif %}", "{% if xs and d %}a{% endif %}", "{% if none %}a{% endif %}{% if 0.0 %}b{% endif %}{% if '0' %}c{% endif %}{% if {} %}d{% endif %}{% if range(0) %}e{% endif %}",
    "{% if true %}{% set v = 1 %}{% endif %}{{ v }}", "{% if false %}{% set v = 1 %}{% endif %}{{ v }}", "{% if 1 %}a", "{% if %}a{% endif %}", "{% else %}", "{% endif %}", "{% if 1 %}{% else %}{% else %}{% endif %}", "{% if 1 %}{{ s|nope }}{% endif %}", "{% if 0 %}{{ s|nope }}{% endif %}ok", "{% if 0 %}{{ s is nope }}{% endif %}ok", "{% if 1, 2 %}t{% endif %}", "{% if s == 'x' if t %}a{% endif %}", "{% if (s is defined) %}d{% endif %}", "{% if 'a' in 'abc' and not false %}x{% endif %}",
    # set
    "{% set a = 1 %}{{ a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = 'xy' %}{{ b }}{{ a }}", "{% set (a, b) = [1, 2] %}{{ a }}{{ b }}", "{% set a, b = 1 %}", "{% set a = 1, 2 %}{{ a }}", "{% set a %}x{{ n }}{% endset %}[{{ a }}]", "{% set a | upper | trim %} x {% endset %}[{{ a }}]", "{% set a %}{% set b = 1 %}{{ b }}{% endset %}{{ a }}{{ b }}", "{% set s = s ~ '!' %}{{ s }}",
    "{% set ns = namespace(i=0) %}{% for x in xs %}{% set ns.i = ns.i + x %}{% endfor %}{{ ns.i }}", "{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = [ns.a] %}{{ ns.b }}{{ ns }}", "{% set d.x = 1 %}", "{% set undef.x = 1 %}", "{% set ns = namespace() %}{% set ns._p = 1 %}", "{% set ns = namespace(a=1) %}{% set ns.a, z = 5, 6 %}{{ ns.a }}{{ z }}", "{% set ns = namespace() %}{% set ns.t %}b{% endset %}{{ ns.t }}", "{% set 1 = 2 %}", "{% set true = 2 %}", "{% set a %}", "{% set a = %}", "{% set a.b.c = 1 %}", "{% set x = namespace(d=d) %}{{ x.d.a }}{{ x.d.b }}", "{% set none = 1 %}", "{% set a = [] %}{% set b = a %}{{ a is sameas b }}", "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "{% set x = 1 %}{% with %}{% set x = 2 %}{{ x }}{% endwith %}{{ x }}", "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with a = 1, b = a %}[{{ b }}]{% endwith %}", "{% with a, b = [1, 2] %}{{ b }}{% endwith %}", "{% with %}x{% endwith %}",
    # macros
    "{% macro m(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=4) }}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(9) }}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(a) %}{{ a is defined }}{{ a }}{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}", "{% macro m(x) %}{% if x > 0 %}{{ x }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}in{% endcall %}", "{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b=7) m() %}{{ a }}{{ b }}{% endcall %}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m }}{{ m.name }}{{ m.arguments }}", "{% for x in xs %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}{% set y = 5 %}{{ y }}{% endmacro %}{{ m() }}{{ y }}", "{% macro m(l) %}{% for i in l %}{% if i is iterable %}[{{ m(i) }}]{% else %}{{ i }}{% endif %}{% endfor %}{% endmacro %}{{ m(nested) }}", "{% call s.upper() %}{% endcall %}", "{% call s %}{% endcall %}", "{% macro m(a) -%}  {{ a }}  {%- endmacro %}[{{ m(1)|upper }}]{{ m('a') + 'b' }}{{ m('x')|length }}", "{% macro outer() %}{% macro inner() %}i{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}", "{% macro m(*a) %}{% endmacro %}", "{% macro m %}{% endmacro %}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}{% call m() %}c{% endcall %}", "{% set f = s.upper %}{{ f() }}", "{% macro m(loop) %}{{ loop }}{% endmacro %}{{ m(3) }}", "{% for x in [1, 2] %}{% set g = namespace(f=0) %}{% macro h(a) %}{{ a }}{{ x }}{% endmacro %}{{ h('p') }}{% endfor %}",
    # blocks
    "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}aca{% endfilter %}", "{% filter trim %}  x {% set q = 1 %} {% endfilter %}{{ q }}", "{% filter nope %}{% endfilter %}", "{% block b %}x{{ n }}{% endblock %}", "{% block b %}x{% endblock b %}", "{% set q = 1 %}{% block b %}{{ q }}{% endblock %}", "{% for x in xs %}{% block b %}{{ x }}{% endblock %}{% endfor %}", "{% print n, s %}", "{% print %}", "{% generation %}a{{ n }}{% set z = 1 %}{% endgeneration %}{{ z }}", "{% generation %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% do xs.append(1) %}", "{% nope %}", "{% %}", "{% 1 %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}", "{% set j = joiner('|') %}{{ j() }}a{{ j() }}b{{ j() }}c", "{% set j = joiner() %}{{ j() }}{{ j() }}",
    # whitespace
    "a\n", "a\n\n", "\n", "", "a\r\nb\rc\n", "  {% if true %}\n  x\n  {% endif %}\ny", "a {%- if true %} b {% endif -%} c", "a {{- n -}} b", "a {{ n }}\n b", "a\n  {{- n }}\n\n  {{ n -}}\n b", "a {#- c -#} b", "a\n  {# c #}\n  b", "x {# c #} y", "  {%+ if true %}x{% endif %}", "a\n  {%+ if true +%}\nx{% endif %}", "{% if true +%}\nx{% endif %}", "{# a #}\n{# b #}\nx", "{# multi\nline #}x", "{#-#}x", "{# unclosed", "a {# {{ x }} {% y %} #} b", "\t{% if 1 %}\tx\t{% endif %}\t\n", "x{% if 1 %}\n\n{% endif %}\n\ny", "{% set x = 1 %}\n{% set y = 2 %}\n{{ x }}{{ y }}\n", "{{ 1 }}\n{{ 2 }}", "\u00a0{%- if 1 %}\u3000{% endif %}", "a\u00a0{%- if 1 %}x{% endif -%}\u2003b", "\u00a0 {% if 1 %}x{% endif %}", "a\n\n{%- if 1 -%}\n\nb\n\n{%- endif -%}\n\nc", "{{ '\n' }}x", "{{ 'a\r\nb' }}", "{{- '' -}}\n x", "{%- for x in xs -%}\n{{ x }}\n{%- endfor -%}",
    "{% raw %}{{ x }} {% y %}{% endraw %}", "{%- raw -%}  {{ x }}  {%- endraw -%} z", "{% raw %}\n a {% endraw %}\nb", "  {% raw %}x\n  {% endraw %}y", "{% raw %}x", "{% raw -%}\n  {{ }} {% endraw +%}\nz", "{% raw %}{% endraw %}", "{% raw %}{# c #}{% endraw %}", "{%raw%}a{%endraw%}", "{% raw x %}{% endraw %}",
    "{{ '}}' }}", "{{ '{%' }}{{ \"%}\" }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': 1}}}", "{{{'a': 1}}}", "{{ [1, 2][0] }}", "{{ (1) }}", "{{ }}", "{{", "{{ s", "{% if 1", "}} %} #}", "{ {", "{{ s }}}", "{{ s -}} }", "a{{ n }}b{{ n }}c", "{{ s\n  | upper\n}}", "{{s}}", "{{-s-}}", "{{ -1 }}", "{{-1}}", "{{ - 1 }}", "{{+1}}", "{%if t%}x{%endif%}", "{% if t -%} x {%- endif %}", "{{ 1 }}{# c -#}   \n x", "# not a comment\n## x\n% y", "{{ 'a' }}\\n", "<|im_start|>{{ '<|im_end|>' }}",
    "{{ x = 1 }}", "{{ s }", "{{ s }} {% endfor %}", "{% if t %}{% for x in xs %}{% endif %}{% endfor %}", "{{ ) }}", "{{ (] }}", "{{ ' }}", "{{ \"a' }}", "{{ a;b }}", "{{ caf\u00e9 }}{% set caf\u00e9 = 3 %}{{ caf\u00e9 }}", "{% set \u53d8\u91cf = 2 %}{{ \u53d8\u91cf }}", "{{ 1\u00a0+\u00a01 }}",
]

TEMPLATES = {
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    # roles that must alternate, the system prompt inside the first user turn
    "alternating": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = system_message + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    # headers, dates, tools as indented JSON, calls as one JSON object
    "headers": """{{- bos_token }}
{%- if not tools is defined or tools is none %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|header|>system<|/header|>\\n\\nToday: " + strftime_now("%d %b %Y") + "\\n" }}
{%- if tools is not none %}
    {{- "Functions:\\n\\n" }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|end|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|header|>' + message['role'] + '<|/header|>\\n\\n' + message['content'] | trim + '<|end|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if message.tool_calls|length != 1 %}
            {{- raise_exception("only one call at once") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|header|>assistant<|/header|>\\n\\n{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson }}
        {{- "}<|end|>" }}
    {%- else %}
        {{- "<|header|>tool<|/header|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|end|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|header|>assistant<|/header|>\\n\\n' }}
{%- endif %}
""",
    # a namespace, a loop from the back, thinking cut out, results of tools in one turn
    "thinking": """{%- if tools %}
    {{- '<tools>\\n' }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n" }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not (message.content.startswith('<result>') and message.content.endswith('</result>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role in ("user", "system") %}
        {{- '<' + message.role + '>' + content + '</' + message.role + '>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or reasoning_content) %}
            {{- '<assistant><think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<assistant>' + content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls or [] %}
            {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
            {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '<call>\\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {%- if tool_call.arguments is string %}
                {{- tool_call.arguments }}
            {%- else %}
                {{- tool_call.arguments | tojson }}
            {%- endif %}
            {{- '}\\n</call>' }}
        {%- endfor %}
        {{- '</assistant>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<user>' }}{%- endif %}
        {{- '\\n<result>\\n' + content + '\\n</result>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '</user>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<assistant>' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}""",
    # macros over schemas, recursion, dictsort, generation blocks
    "macros": """{%- macro kind(spec) -%}
    {%- if spec.type == 'array' -%}
        {{- (kind(spec['items']) if spec['items'] else 'any') ~ '[]' -}}
    {%- elif spec.enum -%}
        {%- for e in spec.enum -%}"{{ e }}"{{ ' | ' if not loop.last }}{%- endfor -%}
    {%- elif spec.type == 'object' and spec.properties -%}
        { {%- for name, p in spec.properties | dictsort %} {{ name }}: {{ kind(p) }},{%- endfor %} }
    {%- elif spec.type is iterable and spec.type is not string -%}
        {{- spec.type | join(' | ') -}}
    {%- else -%}
        {{- spec.type or 'any' -}}
    {%- endif -%}
{%- endmacro -%}
{%- macro render(content) -%}
    {%- if content is string -%}{{ content | trim }}
    {%- elif content is iterable -%}
        {%- for part in content -%}
            {%- if part['type'] == 'image' -%}{{ '<image>' }}{%- elif part['type'] == 'text' -%}{{ part['text'] | trim }}{%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro -%}
{{ bos_token }}
{%- for tool in tools or [] %}
{{- '\\n// ' + tool.function.description }}
type {{ tool.function.name }} = (_: {{ kind(tool.function.parameters) }}) => any;
{% endfor %}
{%- for message in messages %}
    {%- if message['role'] == 'assistant' %}
{{- '<model>' -}}
{% generation %}{{ render(message['content']) }}{{ '<end>' }}{% endgeneration %}
    {%- else -%}
{{- '<' ~ message.role ~ '>' ~ render(message.content) ~ '<end>' -}}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<model>' }}{% endif %}""",
    # checks before anything else; the tools stand before the last user turn; ids of calls
    "strict": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
            {{- raise_exception("roles must alternate") }}
        {%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[TOOLS][" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST]" + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST]" + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif (message.tool_calls is defined and message.tool_calls is not none) %}
        {{- "[CALLS][" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
                {{- raise_exception("ids have 9 characters") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- message["content"] + eos_token}}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {%- if message.content is defined and message.content.content is defined %}
            {%- set content = message.content.content %}
        {%- else %}
            {%- set content = message.content %}
        {%- endif %}
        {{- '[RESULTS]{"content": ' + content|string + "}[/RESULTS]" }}
    {%- else %}
        {{- raise_exception("unknown role " ~ message["role"]) }}
    {%- endif %}
{%- endfor %}
""",
}


def conversations():
    def say(role, content, **more):
        return {"role": role, "content": content, **more}

    def call(name, arguments, ident="abcdefghi"):
        return {"type": "function", "id": ident, "function": {"name": name, "arguments": arguments}}

    return {
        "plain": [say("user", "Hello!")],
        "turns": [say("system", " Be brief.\n"), say("user", "  One  "), say("assistant", " Two\n"), say("user", "Three\n\n")],
        "unicode": [say("system", ""), say("user", "Straße 日本語 👍🏽 <b>&amp;</b> 'q' \"d\" \\n {{ x }}"), say("assistant", ""), say("user", "ok?")],
        "thinking": [say("user", "q"), say("assistant", "<think>\nwhy\n</think>\n\nanswer"), say("user", "more"), say("assistant", "so", reasoning_content="because")],
        "tools": [say("system", "Use tools."), say("user", "Weather?"), say("assistant", None, tool_calls=[call("get_weather", {"city": "Zürich", "days": 3, "x": [1.5, True, None]})]),
                  say("tool", '{"temp": 21}', name="get_weather"), say("assistant", "21 degrees"), say("user", "thanks")],
        "two_calls": [say("user", "w?"), say("assistant", "Let me look.", tool_calls=[call("f", {}), call("g", '{"a": 1}', "x")]), say("tool", "1"), say("tool", "two")],
        "parts": [say("user", [{"type": "text", "text": "look "}, {"type": "image"}, {"type": "text", "text": " here"}])],
        "bad": [say("user", "a"), say("user", "b"), say("critic", "c")],
    }


TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "The weather of a \"city\", é", "parameters": {
    "type": "object", "properties": {"unit": {"type": "string", "enum": ["c", "f"]}, "city": {"type": "string"}, "days": {"type": ["integer", "null"]},
                                     "list": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "number"}}}}},
    "required": ["city"]}, "return": {"type": "string"}}}]


class FixedDatetime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, tz or datetime.timezone.utc).replace(tzinfo=None)


def outcome(run):
    """What `run` returns, or the class of its error, with its words where a template raised it."""
    try:
        return {"output": run()}
    except Exception as error:
        name = type(error).__name__
        return {"error": name, "message": str(error)} if name == "TemplateError" else {"error": name}


def main():
    chat_template_utils.datetime = FixedDatetime
    compile_template = chat_template_utils._compile_jinja_template
    language = []
    expressions = re.split(r" ¦ |(?<!\\)\n", EXPRESSIONS)
    for template in [*("{{ %s }}" % e for e in expressions), *STATEMENTS]:
        case = {"template": template, **outcome(lambda: compile_template(template).render(**VARIABLES))}
        if " at 0x" not in case.get("output", ""):  # the address of an object
            language.append(case)
    chats = []
    for name, template in TEMPLATES.items():
        for conversation, messages in conversations().items():
            for tools in (None, TOOLS):
                for prompt in (False, True):
                    given = [{k: v for k, v in m.items() if v is not None} for m in messages]
                    run = lambda: chat_template_utils.render_jinja_template(
                        [given], tools=tools, chat_template=template, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>", enable_thinking=False)[0][0]
                    chats.append({"template": name, "messages": conversation, "tools": tools is not None, "prompt": prompt, **outcome(run)})
    OUT.mkdir(parents=True, exist_ok=True)
    write = lambda file, data: (OUT / file).write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace('},{"template"', '},\n{"template"') + "\n")
    write("language.json", {"now": NOW, "variables": VARIABLES, "cases": language})
    write("chats.json", {"now": NOW, "templates": TEMPLATES, "messages": conversations(), "tools": TOOLS, "cases": chats})
    errors = sum("error" in c for c in language)
    print(f"{len(language)} cases of the language, {errors} of them errors; {len(chats)} chats")


if __name__ == "__main__":
    main()
