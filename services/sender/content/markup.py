"""What is done to a letter's source once, when it is published: MJML to HTML, CSS into attributes, a text part out of the HTML."""

import html
import re
from dataclasses import dataclass

import css_inline
import mrml

_LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_UNSEEN = re.compile(r"<!--.*?-->|<(head|style|script|title)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_ANCHOR = re.compile(r"""<a\b[^>]*?\shref\s*=\s*["']([^"']*)["'][^>]*>(.*?)</a\s*>""", re.DOTALL | re.IGNORECASE)
_IMAGE = re.compile(r"""<img\b[^>]*?\salt\s*=\s*["']([^"']*)["'][^>]*>""", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/h[1-6]|/li|/table)\b[^>]*>", re.IGNORECASE)
_ITEM = re.compile(r"<li\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_MARK = re.compile("(?:<!--)?\ue000(\\d+)\ue001(?:-->)?")
_SKELETON = re.compile("</?[a-zA-Z][a-zA-Z0-9]*|\ue000\\d+\ue001")


@dataclass(frozen=True, slots=True)
class MarkupFault:
    message: str


def compile_mjml(source: str) -> str | MarkupFault:
    """HTML with the Liquid tags kept. Liquid between sections stands in `<mj-raw>`. Nothing is read from disk or network."""
    try:
        output = mrml.to_html(source)
    except OSError as error:
        return MarkupFault(str(error))
    if output.warnings:
        return MarkupFault("; ".join(str(warning) for warning in output.warnings))
    compiled: str = output.content
    return compiled


def inline_css(source: str) -> str | MarkupFault:
    """CSS of `<style>` into `style` attributes. Liquid is set aside meanwhile, between tags as comments, as text would be moved out of
    tables; if a tag had to be added or moved (a table without `<tbody>`), it is a fault: a loop could then open more than it closes.
    """
    hidden, kept = _hide(source, comments=True)
    try:
        inlined: str = css_inline.inline(hidden, load_remote_stylesheets=False, keep_style_tags=True)
    except css_inline.InlineError as error:
        return MarkupFault(str(error))
    if kept and _skeleton(inlined) != _skeleton(hidden):
        return MarkupFault("CSS cannot be put inline: close every tag, and write <tbody> inside <table>")
    return _restore(inlined, kept)


def text_of_html(source: str) -> str:
    """A plain text template from an HTML one: links as "words (address)", pictures as their alt text, Liquid untouched."""
    hidden, kept = _hide(source)
    seen = _UNSEEN.sub("", hidden)
    seen = re.sub(r"\s+", " ", seen)
    seen = _ANCHOR.sub(lambda found: f"{found[2]} ({found[1]})" if found[1] else found[2], seen)
    seen = _ITEM.sub("- ", _BREAK.sub("\n", _IMAGE.sub(r"\1", seen)))
    lines = [line.strip() for line in html.unescape(_TAG.sub("", seen)).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(re.sub(r"[ \t\u00a0]+", " ", line) for line in lines))
    return _restore(text.strip(), kept) + "\n"


def _skeleton(source: str) -> list[str]:
    return [word.lower() for word in _SKELETON.findall(source) if word.lower().strip("</") not in {"html", "head", "body"}]


def _hide(source: str, *, comments: bool = False) -> tuple[str, list[str]]:
    """The source with its Liquid as marks; with `comments`, those outside of an HTML tag stand in comments."""
    kept: list[str] = []

    def put(found: re.Match[str]) -> str:
        kept.append(found[0])
        mark = f"\ue000{len(kept) - 1}\ue001"
        between = found.string.rfind(">", 0, found.start()) >= found.string.rfind("<", 0, found.start())
        return f"<!--{mark}-->" if comments and between else mark

    return _LIQUID.sub(put, source.replace("\ue000", "").replace("\ue001", "")), kept


def _restore(text: str, kept: list[str]) -> str:
    return _MARK.sub(lambda found: kept[int(found[1])], text)
