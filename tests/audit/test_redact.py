from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log.redact import REMOVED, find_secrets, redact
from tests.ends import ends

HF = "hf_" + "aB3dE6gH9jK2mN5p"
HEX = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "text",
    [
        f"hub_token: {HF}",
        f"https://user:{HF}@huggingface.co",
        "sk-ant-api03-" + "x1Y2z3" * 6,
        "OPENAI_API_KEY=sk-proj-" + "ab12" * 8,
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2_" * 9,
        "AKIA" + "ABCD1234EFGH5678",
        f"wandb_api_key: {HEX}",
        f'wandb.login(key="{HEX}")',
        f"WANDB_API_KEY={HEX}",
        "Authorization: Bearer abcDEF1234567890xyz",
        "export MY_SERVICE_TOKEN=a1b2c3d4e5f6g7h8",
        'login(token="Zx81kq-44ab-secret")',
        "--hub_token a1b2c3d4e5f6g7h8",
        "api_key: 'swordfish'",
        'password="hunter2"',
        'db: "postgres://goblin:hunter2@host/db"',
        '{\\"api_key\\": \\"swordfish99\\"}',
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAAAA\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    found = find_secrets(text)
    assert found
    for secret in found:
        assert text[secret.start : secret.end] not in redact(text)
    assert REMOVED in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        'special_tokens:\n  eos_token: "<|im_end|>"\n  pad_token: "<|finetune_right_pad_id|>"',
        "pad_token: endoftext_0123456789",
        "tokenizer.pad_token = tokenizer.eos_token",
        'token=os.environ["HF_TOKEN"]',
        "hf_token: ${HF_TOKEN}",
        "export HF_TOKEN=$TOKEN",
        "use_auth_token: true",
        "api_key: your_api_key_here",
        "max_tokens: 2048  # tokens_per_s",
        f"revision: {HEX}",
        "model: hf_transfer/model-7b",
        "base_model: sk-model",
        "hub_token=args.hub_token",
        "url: https://example.org:8080/path@v1",
        "learning_rate: 2e-5",
        "add_bos_token: false",
        "HF_TOKEN=<your token>",
    ],
)
def test_ordinary_text_is_kept(text: str) -> None:
    assert redact(text) == text


def test_only_the_secret_goes() -> None:
    text = f"base_model: org/model\nhub_token: {HF}  # mine\nlora_r: 8\n"
    assert redact(text) == f"base_model: org/model\nhub_token: {REMOVED}  # mine\nlora_r: 8\n"


def test_time_is_linear() -> None:
    nasty = ["token" * 40_000, "://a:" * 40_000, "api_key" + " " * 200_000, "a" * 200_000 + "key="]
    nasty += [
        "-----BEGIN PRIVATE KEY-----" * 5_000,
        "bearer " * 30_000,
        "eyJ" * 60_000,
        "0a" * 99_999,
    ]
    for text in nasty:  # quadratic work on 200,000 characters would take hours
        with ends(60):
            find_secrets(text)


@given(st.text(alphabet=st.sampled_from("token:= hf_aZ09'\"\n\\/@-key"), max_size=120))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
