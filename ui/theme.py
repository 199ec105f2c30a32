"""The look of Gradio's own controls: the page's colours, radii and fonts as a theme."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Liberation Mono", "monospace"]
STYLES = tuple(
    Path(__file__).with_name(name)
    for name in (
        "page.css",
        "page_parts.css",
        "what_if.css",
        "ask.css",
        "approval.css",
        "knowledge.css",
        "history.css",
    )
)
SCRIPT = Path(__file__).with_name("page.js")
PICTURE = Path(__file__).with_name("goblin.svg")


def page_theme() -> gr.themes.Base:
    """`gr.themes.Base` with the page's tokens; `*_dark` twins follow the same names."""
    return gr.themes.Base(font=SANS, font_mono=MONO, radius_size="md", text_size="md").set(
        body_background_fill="#f7f7f5",
        body_background_fill_dark="#0f1112",
        body_text_color="#17191b",
        body_text_color_dark="#e9ebec",
        body_text_color_subdued="#565b61",
        body_text_color_subdued_dark="#aab0b6",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#171a1c",
        background_fill_secondary="#f1f1ee",
        background_fill_secondary_dark="#1f2326",
        border_color_primary="#dfdfda",
        border_color_primary_dark="#2d3236",
        border_color_accent="#0b6b50",
        border_color_accent_dark="#43c79b",
        color_accent="#0b6b50",
        color_accent_soft="#e3f1ec",
        color_accent_soft_dark="#12302a",
        link_text_color="#0b6b50",
        link_text_color_dark="#5fd3ad",
        link_text_color_hover="#17191b",
        link_text_color_hover_dark="#e9ebec",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_shadow_dark="none",
        block_padding="0px",
        block_radius="8px",
        block_label_text_color="#17191b",
        block_label_text_color_dark="#e9ebec",
        block_title_text_color="#17191b",
        block_title_text_color_dark="#e9ebec",
        block_title_text_size="13px",
        block_title_text_weight="550",
        block_info_text_color="#565b61",
        block_info_text_color_dark="#aab0b6",
        block_info_text_size="13px",
        input_background_fill="#ffffff",
        input_background_fill_dark="#171a1c",
        input_border_color="#8e918a",
        input_border_color_dark="#6d757c",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_radius="8px",
        input_shadow="none",
        input_shadow_dark="none",
        input_placeholder_color="#61666c",
        input_placeholder_color_dark="#979da4",
        input_text_size="14px",
        button_large_radius="8px",
        button_medium_radius="8px",
        button_small_radius="8px",
        button_primary_background_fill="#0b6b50",
        button_primary_background_fill_dark="#43c79b",
        button_primary_background_fill_hover="#0a5c45",
        button_primary_background_fill_hover_dark="#5fd3ad",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#06251b",
        button_primary_border_color="#0b6b50",
        button_primary_border_color_dark="#43c79b",
        button_secondary_background_fill="#ffffff",
        button_secondary_background_fill_dark="#171a1c",
        button_secondary_background_fill_hover="#f1f1ee",
        button_secondary_background_fill_hover_dark="#1f2326",
        button_secondary_text_color="#17191b",
        button_secondary_text_color_dark="#e9ebec",
        button_secondary_border_color="#8e918a",
        button_secondary_border_color_dark="#6d757c",
        button_cancel_background_fill="#ffffff",
        button_cancel_background_fill_dark="#171a1c",
        button_cancel_background_fill_hover="#fcebe9",
        button_cancel_background_fill_hover_dark="#3a1a18",
        button_cancel_text_color="#b3201a",
        button_cancel_text_color_dark="#ff8a80",
        button_cancel_border_color="#b3201a",
        button_cancel_border_color_dark="#ff8a80",
        button_border_width="1px",
        button_border_width_dark="1px",
        button_primary_shadow="none",
        button_secondary_shadow="none",
        button_transition="none",
        error_background_fill="#fcebe9",
        error_background_fill_dark="#3a1a18",
        error_border_color="#b3201a",
        error_border_color_dark="#ff8a80",
        error_text_color="#b3201a",
        error_text_color_dark="#ff8a80",
        layout_gap="16px",
    )
