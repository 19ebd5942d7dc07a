"""Header blocks that are kept are what hpack would have made of them at that moment."""

from __future__ import annotations

from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.locustfiles.modules import load

headers = load("transports.grpc_gevent.headers")

names = st.sampled_from([":path", ":status", "grpc-status", "a", "b"])
values = st.sampled_from(["0", "200", "/x", "", "v" * 30])
fields = st.lists(st.tuples(names, values), max_size=4).map(tuple)
sizes = st.sampled_from([0, 40, 100, 4096, 1 << 20])


@given(st.lists(fields | sizes, max_size=40))
def test_a_peer_that_follows_the_table_reads_every_block(
    steps: list[tuple[str, ...] | int],
) -> None:
    encoder, peer = headers.BlockEncoder(), Decoder()
    for step in steps:
        if isinstance(step, int):
            encoder.resize(step)
            peer.max_allowed_table_size = step
        else:
            assert [tuple(each) for each in peer.decode(encoder.encode(step))] == list(step)


@given(st.lists(st.tuples(fields, st.booleans()) | sizes, max_size=40))
def test_blocks_are_read_as_the_table_is_when_they_come(
    steps: list[tuple[tuple[tuple[str, str], ...], bool] | int],
) -> None:
    peer, decoder, truth = Encoder(), headers.BlockDecoder(), Decoder()
    for step in steps:
        if isinstance(step, int):
            # Set to what it is, hpack's own encoder would announce none of the changes before.
            if min(step, 4096) != peer.header_table_size:
                peer.header_table_size = min(step, 4096)
            continue
        written, indexed = step
        block = peer.encode([(*each, not indexed) for each in written], huffman=False)
        expected = headers.read([tuple(each) for each in truth.decode(block, raw=True)])

        assert decoder.decode(block) == expected


def test_equal_blocks_mean_other_fields_once_the_table_is_another() -> None:
    peer, decoder = Encoder(), headers.BlockDecoder()
    first = peer.encode([("grpc-status", "5")], huffman=False)
    newest = peer.encode([("grpc-status", "5")], huffman=False)
    assert [decoder.decode(each).grpc for each in (first, newest, newest)] == [5, 5, 5]

    other = peer.encode([("grpc-status", "7")], huffman=False)

    assert [decoder.decode(each).grpc for each in (other, newest)] == [7, 7]


def test_fields_of_one_call_alone_enter_no_table() -> None:
    peer = Decoder()
    for number in range(3):
        block = headers.literal((("x", str(number)), ("grpc-timeout", "5S")))
        assert tuple(next(iter(peer.decode(block)))) == ("x", str(number))
    assert not peer.header_table.dynamic_entries
