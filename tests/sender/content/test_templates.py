from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.content.markup import MarkupFault, compile_mjml, inline_css, text_of_html
from services.sender.content.templates import (
    Parts,
    Template,
    TemplateCache,
    TemplateFault,
    TemplateSource,
    compile_template,
    render,
    variables_of,
)

AT = int(datetime(2026, 11, 29, 21, 30, tzinfo=UTC).timestamp() * 1000)


def text_of(source: str, **variables) -> str:
    template = compile_template(TemplateSource("t", 1, text=source))
    assert isinstance(template, Template), template
    parts = render(template, variables)
    assert isinstance(parts, Parts), parts
    return parts.text


@pytest.mark.parametrize(
    ("source", "variables", "expected"),
    [
        ("{{ a | money }}", {"a": {"minor": 123_450, "currency": "RUB"}}, "1\u00a0234,50\u00a0₽"),
        ("{{ a | money }}", {"a": {"minor": 100, "currency": "RUB"}}, "1\u00a0₽"),
        ("{{ a | money }}", {"a": {"minor": -5, "currency": "RUB"}}, "-0,05\u00a0₽"),
        ("{{ a | money: 'en' }}", {"a": {"minor": 123_450, "currency": "USD"}}, "$1,234.50"),
        ("{{ a | money }}", {"a": {"minor": 1_234, "currency": "JPY"}, "language": "en"}, "1,234\u00a0JPY"),
        ("{{ a | money }}", {"a": {"minor": 1_234, "currency": "KWD"}}, "1,234\u00a0KWD"),
        ("{{ a | date: '%e %B %Y %H:%M', 'Europe/Moscow' }}", {"a": AT}, "30 ноября 2026 00:30"),
        ("{{ a | date: '%e %B, %A' }}", {"a": AT, "timezone": "Asia/Vladivostok", "language": "en"}, "30 November, Monday"),
        ("{{ a | date }}", {"a": AT}, "29.11.2026"),
        ("{{ a | date: '%d.%m', 'America/New_York' }}", {"a": "1990-01-01"}, "01.01"),
        ("{{ 'now' | date: '%H' }}", {"now": AT}, "21"),
        ("{{ now }}{{ today }}", {}, ""),
        *(
            (f"{{{{ {n} | plural: 'день', 'дня', 'дней' }}}}", {}, w)
            for n, w in ((1, "день"), (3, "дня"), (5, "дней"), (11, "дней"), (12, "дней"))
        ),
        *(
            (f"{{{{ {n} | plural: 'день', 'дня', 'дней' }}}}", {}, w)
            for n, w in ((21, "день"), (112, "дней"), (0, "дней"), (104, "дня"))
        ),
        ("{{ 1 | plural: 'day', 'days' }} {{ 2 | plural: 'day', 'days' }}", {}, "day days"),
        ("{{ name | default: 'друг' }}", {}, "друг"),
        ("{{ a.b.c }}{{ a.first }}{{ a.size }}", {"a": {"b": {"c": 1}}}, "1('b', {'c': 1})1"),
    ],
)
def test_filters(source, variables, expected):
    assert text_of(source, **variables) == expected


@pytest.mark.parametrize(
    ("parts", "variables", "code", "part", "line"),
    [
        ({"html": "<p>\n{{ a | nope }}"}, {}, "unknown_filter", "html", None),
        ({"html": "<p>\n\n{% nope %}"}, {}, "syntax", "html", 3),
        ({"html": "{% include 'a' %}"}, {}, "syntax", "html", 1),
        ({"html": "{% render 'a' %}"}, {}, "no_such_block", "html", 1),
        ({"text": "x", "subject": "a\nb"}, {}, "subject_lines", "subject", 2),
        ({"text": "x", "subject": "{{ a }}"}, {}, "subject_empty", "subject", None),
        ({"text": "\n{{ a | money }}"}, {"a": 5}, "render", "text", 2),
        ({"text": "{{ a | date: '%Q' }}"}, {"a": AT}, "render", "text", 1),
        ({"text": "{{ a | date: '%d', 'Mars/Olympus' }}"}, {"a": AT}, "render", "text", 1),
        ({"text": "{{ a | divided_by: 0 }}"}, {"a": 1}, "render", "text", 1),
        ({"text": "{{ a | plural: 'x' }}"}, {"a": 1}, "render", "text", 1),
    ],
)
def test_faults_say_where_and_what(parts, variables, code, part, line):
    template = compile_template(TemplateSource("t", 1, **parts))
    fault = render(template, variables) if isinstance(template, Template) else template
    assert isinstance(fault, TemplateFault)
    assert (fault.code, fault.part, fault.line) == (code, part, line)
    assert fault.message


def test_missing_variables_are_named_once_and_only_when_they_would_have_been_seen():
    source = (
        "{{ name }}{{ name }}{{ a.b }}{{ c | default: 'x' }}{% if d %}{% endif %}{% for i in items %}{% endfor %}{{ e | upcase }}"
    )
    template = compile_template(TemplateSource("t", 1, text=source, subject="{{ s }}!"))
    parts = render(template, {"a": {}})
    assert parts.missing == ("a.b", "e", "items", "name", "s")


def test_variables_of_a_template():
    source = TemplateSource(
        "t",
        1,
        subject="{{ profile.name }}",
        html="{% assign x = order.total %}{{ x }}{% for i in order.lines %}{{ i.name }}{% endfor %}{% render 'footer', y: brand.name %}",
        blocks={"footer": "{{ y }}{{ unsubscribe }}"},
    )
    found = variables_of(compile_template(source))
    assert {"profile.name", "order.total", "order.lines", "brand.name"} <= set(found)
    assert not {"x", "i.name", "y"} & set(found)


def test_a_block_has_its_own_scope_and_prints_what_it_is_given():
    source = TemplateSource("t", 1, html="{% render 'hello', name: who %}", text="", blocks={"hello": "<b>{{ name }}</b>"})
    assert render(compile_template(source), {"who": "<Ann>"}).html == "<b>&lt;Ann&gt;</b>"


def test_the_subject_is_one_line_whatever_the_customer_is_called():
    template = compile_template(TemplateSource("t", 1, subject="Привет, {{ name }}!", text="x"))
    assert render(template, {"name": "Ann\r\nBcc: eve@example.org"}).subject == "Привет, Ann Bcc: eve@example.org!"


CHAINS = [
    "upcase",
    "downcase",
    "append: name",
    "prepend: name",
    "replace: 'a', name",
    "split: 'x' | join: name",
    "strip_newlines",
    "newline_to_br",
]
CHAINS += [
    "truncate: 9",
    "slice: 0, 9",
    "url_decode",
    "strip_html",
    "escape_once",
    "default: name",
    "date: name",
    "remove: 'b'",
    "capitalize",
    "squish",
]


@pytest.mark.parametrize("first", CHAINS)
@pytest.mark.parametrize("second", CHAINS)
def test_a_customers_name_is_never_markup(first, second):
    template = compile_template(
        TemplateSource("t", 1, html=f"[{{{{ name | {first} | {second} }}}}{{{{ 'x' | {first} | {second} }}}}]", text="")
    )
    for name in ("<script>alert(1)</script>", "%3Cscript%3E", "&lt;script&gt;", "<<b>script>"):
        parts = render(template, {"name": name})
        if isinstance(parts, Parts):
            assert "<script" not in parts.html.lower()


@given(st.text())
def test_html_shows_what_the_customer_wrote_and_text_shows_it_as_it_is(name):
    import html

    template = compile_template(TemplateSource("t", 1, html="{{ name }}", text="{{ name }}"))
    parts = render(template, {"name": name})
    lines = name.replace("\r\n", "\n").replace("\r", "\n")
    assert html.unescape(parts.html) == lines
    assert not set(parts.html) & set("<>\"'")
    assert parts.text == lines


def test_the_same_in_the_same_out():
    template = compile_template(
        TemplateSource("t", 1, html="{{ 'now' | date: '%S' }}{% cycle 'a', 'b' %}{% increment x %}", text="")
    )
    assert {render(template, {"now": AT}).html for _ in range(5)} == {"00a0"}


def test_the_cache_keeps_versions_apart_and_forgets_the_oldest():
    cache = TemplateCache(size=2)
    first = cache.get(TemplateSource("a", 1, text="1"))
    assert cache.get(TemplateSource("a", 1, text="1")) is first
    assert cache.get(TemplateSource("a", 2, text="2")) is not first
    cache.get(TemplateSource("b", 1, text="3"))
    assert cache.get(TemplateSource("a", 1, text="1")) is not first
    assert isinstance(cache.get(TemplateSource("c", 1, text="{%")), TemplateFault)


MJML = """<mjml><mj-body><mj-section><mj-column><mj-text>Привет, {{ name }}</mj-text>
<mj-button href="{{ url }}">Открыть</mj-button></mj-column></mj-section>
<mj-raw>{% if a %}</mj-raw><mj-section><mj-column><mj-text>да</mj-text></mj-column></mj-section><mj-raw>{% endif %}</mj-raw></mj-body></mjml>"""


def test_mjml_keeps_liquid_and_gives_a_text_part():
    html = compile_mjml(MJML)
    assert not isinstance(html, MarkupFault)
    parts = render(compile_template(TemplateSource("t", 1, html=html)), {"name": "Анна", "url": "https://x.example/1"})
    assert "Привет, Анна" in parts.html and 'href="https://x.example/1"' in parts.html and "<mj-" not in parts.html
    assert ">да<" not in parts.html.replace("\n", "")
    assert "Привет, Анна" in parts.text and "Открыть (https://x.example/1)" in parts.text and "<" not in parts.text


@pytest.mark.parametrize("source", ["<mjml><mj-body>", "no", '<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>'])
def test_mjml_faults(source):
    assert isinstance(compile_mjml(source), MarkupFault)


def test_css_goes_inline_and_liquid_stays_where_it_was():
    row = "<tr><td class='x'>{{ i | upcase }}</td></tr>"
    inlined = inline_css(
        "<style>td{color:red}</style><table><tbody>{% for i in items %}"
        + row
        + "{% endfor %}</tbody></table><a href='{{ u }}'>x</a>"
    )
    assert isinstance(inlined, str)
    assert (
        '<tbody>{% for i in items %}<tr><td class="x" style="color: red;">{{ i | upcase }}</td></tr>{% endfor %}</tbody>' in inlined
    )
    assert 'href="{{ u }}"' in inlined
    assert isinstance(inline_css("<table>{% for i in items %}" + row + "{% endfor %}</table>"), MarkupFault)


def test_text_of_html():
    source = (
        "<head><title>t</title></head><style>a{}</style><p>Hi&nbsp;&amp; <b>{{ n | default: '<b>' }}</b></p>"
        "<ul><li>one</li><li>two</li></ul><!-- no --><img alt='pic' src=x>"
    )
    assert text_of_html(source) == "Hi & {{ n | default: '<b>' }}\n- one\n- two\npic\n"


def test_a_text_part_made_of_the_html_holds_no_markup_of_its_blocks():
    blocks = {"foot": '<hr><p style="color:#777">Made up. <a href="{{ out }}">Unsubscribe</a></p>'}
    template = compile_template(TemplateSource("t", 1, html='<p>Hello</p>{% render "foot", out: url %}', blocks=blocks))
    assert isinstance(template, Template), template
    parts = render(template, {"url": "https://shop.example/u"})
    assert isinstance(parts, Parts), parts
    assert "<" not in parts.text and "Made up. Unsubscribe (https://shop.example/u)" in parts.text
    assert '<p style="color:#777">' in (parts.html or "")
