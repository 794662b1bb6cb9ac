"""A hostile template ends early, by counting: whatever the machine's speed, its work is bounded."""

import time
import tracemalloc

import pytest

from services.sender.content.templates import Template, TemplateFault, TemplateSource, compile_template, render

LONG = "a" * 10_000
BOMBS = {
    "huge range": ("{% for i in (1..100000000) %}x{% endfor %}", "too_many_iterations"),
    "range from a variable": ("{% for i in (1..n) %}x{% endfor %}", "too_many_iterations"),
    "range beyond a machine word": ("{% for i in (1..99999999999999999999) %}x{% endfor %}", "too_many_iterations"),
    "reversed range": ("{% for i in (1..100000000) reversed limit:1 %}x{% endfor %}", "too_many_iterations"),
    "offset into a range": ("{% for i in (1..1000000000) offset:999999998 %}x{% endfor %}", "too_many_iterations"),
    "tablerow": ("{% tablerow i in (1..100000000) %}x{% endtablerow %}", "too_many_iterations"),
    "nested": ("{% for i in (1..400) %}" * 4 + "x" + "{% endfor %}" * 4, "too_many_iterations"),
    "nested without output": ("{% for i in (1..400) %}" * 4 + " " + "{% endfor %}" * 4, "too_many_iterations"),
    "siblings": ("{% for i in (1..900) %}x{% endfor %}" * 100, "too_many_iterations"),
    "left at once, again and again": (
        "{% for i in (1..100) %}{% for j in (1..9000) %}{% break %}{% endfor %}{% endfor %}",
        "too_many_iterations",
    ),
    "many tags in a loop": ("{% for i in (1..9000) %}" + "{% if true %}{% endif %}" * 1000 + "{% endfor %}", "too_many_operations"),
    "long text captured in a loop": (
        "{% for i in (1..9000) %}{% capture x %}" + LONG + "{% endcapture %}{% endfor %}",
        "too_many_operations",
    ),
    "output": ("{% for i in (1..300) %}" + LONG + "{% endfor %}", "output_too_large"),
    "range to a filter": ("{{ (1..1000000000) | join: 'x' }}", "syntax"),
    "range assigned": ("{% assign r = (1..1000000000) %}{{ r | sort }}", "syntax"),
    "range searched": ("{% if (1..1000000000) contains 'x' %}{% endif %}", "syntax"),
    "range in a block": ("{% render 'ranges' %}", "syntax"),
    "append doubles": (
        "{% assign s = 'aaaaaaaa' %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}{{ s }}",
        "value_too_large",
    ),
    "replace multiplies": (f"{{{{ '{LONG}' | replace: 'a', '{LONG}' | replace: 'a', '{LONG}' }}}}", "value_too_large"),
    "join multiplies": (f"{{{{ '{LONG}' | split: '' | join: '{LONG}' }}}}", "value_too_large"),
    "concat doubles": (
        "{% assign l = 'a,b' | split: ',' %}{% for i in (1..60) %}{% assign l = l | concat: l %}{% endfor %}",
        "value_too_large",
    ),
    "long strings in a list": (
        (
            f"{{% assign s = '{LONG}' %}}{{% assign l = 'a' | split: ',' %}}{{% capture big %}}{{{{ s }}}}{{% endcapture %}}"
            "{% for i in (1..60) %}{% assign one = big | split: '|' %}{% assign l = l | concat: one %}{% endfor %}{{ l }}"
        ),
        "value_too_large",
    ),
    "uniq of a long list": (f"{{{{ '{LONG}' | split: '' | uniq }}}}", "too_many_operations"),
    "numbers square": (
        "{% assign n = 9 %}{% for i in (1..60) %}{% assign n = n | times: n %}{% endfor %}{{ n }}",
        "value_too_large",
    ),
    "recursion": ("{% render 'self' %}", "too_deep"),
    "recursion that branches": ("{% render 'twice' %}", "too_deep"),
    "render for a long list": ("{% assign l = 'a' | split: '' %}{% render 'for_all' for items %}", "too_many_iterations"),
    "deep nesting": ("{% if true %}" * 100 + "{% endif %}" * 100, "too_deep"),
    "long logic": ("{% if " + "a and " * 20_000 + "a %}x{% endif %}", None),
    "too long": ("x" * 600_000, "source_too_large"),
    "large value printed again and again": (
        "{% for i in (1..9000) %}{% capture x %}{{ big }}{% endcapture %}{% endfor %}",
        "too_many_operations",
    ),
    "large value compared": ("{% for i in (1..9000) %}{% if big contains 'ab' %}{% endif %}{% endfor %}", "too_many_operations"),
    "blocks that run on": ("{% render 'wide' %}", "too_many_iterations"),
    "width in a date": ("{{ 0 | date: '%9999999d' }}", None),
    "no such filter": ("{{ x | ljust: 1000000000 }}", "unknown_filter"),
}
BLOCKS = {
    "self": "{% render 'self' %}",
    "twice": "{% render 'twice' %}{% render 'twice' %}",
    "for_all": "{% for i in (1..1000) %}x{% endfor %}",
    "wide": "{% for i in (1..5000) %}{% render 'wider' %}{% endfor %}",
    "wider": "{% for i in (1..5000) %}x{% endfor %}",
}
VARIABLES = {"n": 10**9, "items": list(range(900)), "big": "b" * 200_000}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped(name):
    source, code = BOMBS[name]
    blocks = BLOCKS | ({"ranges": "{{ (1..1000000000) | join }}"} if name == "range in a block" else {})
    tracemalloc.start()
    began = time.process_time()
    template = compile_template(TemplateSource("t", 1, html=source, text="", blocks=blocks))
    result = render(template, VARIABLES) if isinstance(template, Template) else template
    spent, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if code is not None:
        assert isinstance(result, TemplateFault), f"{name} was rendered"
        assert result.code == code
    assert peak < 100_000_000
    assert spent < 10  # seconds under a memory tracer on a busy machine; unbounded ones take minutes or the memory


def test_what_a_shop_sends_is_far_below_the_limits():
    source = (
        "{% for p in items %}<tr><td>{{ p.name | escape }}</td><td>{{ p.price | money }}</td>"
        + "<td>text</td>" * 20
        + "</tr>{% endfor %}"
    )
    items = [{"name": f"Товар {n}", "price": {"minor": n * 100, "currency": "RUB"}} for n in range(300)]
    template = compile_template(TemplateSource("t", 1, html=source, text=""))
    result = render(template, {"items": items})
    assert not isinstance(result, TemplateFault), result
    assert "Товар 299" in result.html
