from __future__ import annotations

import json
import time
import zlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.handlers import fail, matrix_multiply, noop, sleep, spin, text_stats, word_count
from common.handlers.registry import JobFailed


def encoded(**parameters: object) -> bytes:
    return json.dumps(parameters).encode()


async def test_noop_returns_nothing() -> None:
    assert await noop.run(noop.parse(b"anything")) == b""


async def test_sleep_returns_the_delay_that_it_slept() -> None:
    output = await sleep.run(sleep.parse(encoded(milliseconds=1)))

    assert json.loads(output) == {"milliseconds": 1}


@given(seed=st.integers(0, 2**63 - 1), jitter=st.floats(0, 1), probability=st.floats(0, 1))
def test_sleep_draws_the_same_for_the_same_seed(seed, jitter, probability) -> None:
    params = sleep.parse(
        encoded(milliseconds=1000, jitter=jitter, failure_probability=probability, seed=seed)
    )

    drawn = sleep.plan(params)

    assert drawn == sleep.plan(params)
    assert 1000 * (1 - jitter) - 1e-6 <= drawn.milliseconds <= 1000 * (1 + jitter) + 1e-6


def test_sleep_without_seed_draws_anew_each_time() -> None:
    params = sleep.parse(encoded(jitter=1))

    assert len({sleep.plan(params).milliseconds for _ in range(20)}) > 1


def test_sleep_fails_as_often_as_asked() -> None:
    drawn = [sleep.plan(sleep.Params(failure_probability=0.25, seed=n)) for n in range(2000)]

    assert 400 < sum(each.fails for each in drawn) < 600


async def test_sleep_that_fails_says_that_it_was_simulated() -> None:
    params = sleep.parse(encoded(milliseconds=0, failure_probability=1))

    with pytest.raises(JobFailed) as caught:
        await sleep.run(params)
    assert caught.value.reason == "SIMULATED_FAILURE"


def test_spin_burns_at_least_the_cpu_time_asked_for() -> None:
    before = time.thread_time()

    output = spin.run(spin.parse(encoded(milliseconds=20)))

    assert time.thread_time() - before >= 0.020
    assert json.loads(output) == {"milliseconds": 20}


def test_word_count_counts_case_folded_words() -> None:
    output = word_count.run(word_count.HANDLER.parse("The cat, the dog. Don't! Straße".encode()))

    assert json.loads(output) == {
        "words": 6,
        "distinct": 5,
        "top": [
            {"word": "the", "count": 2},
            {"word": "cat", "count": 1},
            {"word": "dog", "count": 1},
            {"word": "don't", "count": 1},
            {"word": "strasse", "count": 1},
        ],
    }


@given(words=st.lists(st.from_regex(r"[a-z]{1,2}", fullmatch=True), max_size=400))
def test_word_count_lists_the_most_frequent_first_and_ties_by_word(words: list[str]) -> None:
    output = json.loads(word_count.run(" ".join(words)))

    expected = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))[:100]
    assert [(each["word"], each["count"]) for each in output["top"]] == expected
    assert (output["words"], output["distinct"]) == (len(words), len(set(words)))


def test_text_stats_measures_a_text() -> None:
    text = "Pi is 3.14. Really?\nYes, naïve one!\n\nThe end"

    assert json.loads(text_stats.run(text)) == {
        "bytes": 45,
        "characters": 44,
        "lines": 4,
        "paragraphs": 2,
        "sentences": 4,
        "words": 10,
        "longest_word": 6,
        "mean_word_length": 3.0,
    }


@given(text=st.text())
def test_text_stats_of_any_text_are_consistent(text: str) -> None:
    stats = json.loads(text_stats.run(text))

    assert stats["characters"] == len(text)
    assert stats["sentences"] <= stats["words"] <= stats["characters"]
    assert stats["mean_word_length"] <= stats["longest_word"]


@given(size=st.integers(1, 8), seed=st.integers(0, 2**63 - 1))
def test_matrix_multiply_gives_the_product(size: int, seed: int) -> None:
    params = matrix_multiply.Params(size, seed)
    left, right = matrix_multiply.draw(params)
    cells = range(size)
    product = [[sum(left[i][k] * right[k][j] for k in cells) for j in cells] for i in cells]

    output = json.loads(matrix_multiply.run(params))

    assert output == {
        "size": size,
        "seed": seed,
        "trace": sum(product[i][i] for i in cells),
        "crc32": f"{zlib.crc32(''.join(map(repr, product)).encode()):08x}",
    }


def test_matrix_multiply_draws_other_matrices_for_another_seed() -> None:
    one, two = (json.loads(matrix_multiply.run(matrix_multiply.Params(8, n))) for n in (1, 2))

    assert one["crc32"] != two["crc32"]


async def test_fail_fails_with_the_given_reason_and_message() -> None:
    with pytest.raises(JobFailed) as caught:
        await fail.run(fail.parse(encoded(reason="DISK_FULL", message="no space")))
    assert (caught.value.reason, caught.value.message) == ("DISK_FULL", "no space")


async def test_fail_has_a_reason_of_its_own() -> None:
    with pytest.raises(JobFailed, match="FAILURE_REQUESTED"):
        await fail.run(fail.parse(b""))
