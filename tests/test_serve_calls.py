"""The core of gRPC in the event loop, on a real port with a real client: calls of all kinds and ends."""

import asyncio
import contextlib
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from serve_shop import until
from shelfwise.serve.calls import Core, in_task

SECRET = "what only the log may say"


class Methods:
    """Methods of every kind, in tasks; `heard` is what became of some."""

    def __init__(self):
        self.begun, self.heard = [], []
        self.open = asyncio.Event()

    async def echo(self, message, call):
        left = call.time_remaining()
        said = dict(call.invocation_metadata()).get("word", "")
        return f"{message.decode()} {said} {'some' if left and 0 < left <= 30 else left}".encode()

    async def stop(self, message, call):
        await call.abort(grpc.StatusCode.DATA_LOSS, "größer 😀", (("why", "7"), ("raw-bin", b"\0\xff")))

    async def fail(self, message, call):
        raise ValueError(SECRET)

    def lacking(self, message, call):
        call.set_code(grpc.StatusCode.UNIMPLEMENTED)
        call.set_details("not here")
        raise NotImplementedError

    async def wait(self, message, call):
        self.begun.append(message)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.heard.append((message.decode(), call.cancelled()))
            raise
        return message

    async def join(self, messages, call):
        return b" ".join([message async for message in messages])

    async def count(self, message, call):
        for number in range(int(message)):
            await call.write(number)

    async def forever(self, message, call):
        try:
            while True:
                yield message
        finally:
            self.heard.append(("forever", call.cancelled()))

    async def twice(self, messages, call):
        async for message in messages:
            yield message + message

    def taken(self):
        """The takers by name."""
        one, from_many = grpc.unary_unary_rpc_method_handler, grpc.stream_unary_rpc_method_handler
        handlers = {
            "echo": one(self.echo), "stop": one(self.stop), "fail": one(self.fail),
            "lacking": one(self.lacking), "wait": one(self.wait), "join": from_many(self.join),
            "count": grpc.unary_stream_rpc_method_handler(
                self.count, None, lambda number: str(number).encode()
            ),
            "forever": grpc.unary_stream_rpc_method_handler(self.forever),
            "twice": grpc.stream_stream_rpc_method_handler(self.twice),
        }  # fmt: skip
        return {f"/t/{name}": in_task(handler) for name, handler in handlers.items()} | {"/t/raw": self.raw}

    def raw(self, call):
        """Ends a call before it is read, and tries to do so again."""
        call.end(9, "first")
        call.end(0)
        call.answer(b"never")


@contextlib.contextmanager
def running(**settings):
    """A core in an event loop of its own; yields the methods, the port, and what runs a coroutine there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)

    async def start():
        methods = Methods()
        core = Core(methods.taken(), [("grpc.so_reuseport", 0), *settings.items()])
        port = core.listen("127.0.0.1:0")
        core.start()
        return methods, core, port

    methods, core, port = do(start())
    try:
        yield methods, core, port, do
    finally:
        do(core.stop(0))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def served():
    with running() as (methods, _, port, do), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield methods, channel, do


def call(channel, name, message=b"x", **settings):
    return channel.unary_unary(f"/t/{name}")(message, **settings)


def refused(channel, name, message=b"x", **settings):
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as raised:
        call(channel, name, message, **settings)
    return raised.value


def test_a_method_sees_message_metadata_and_time(served):
    _, channel, _ = served

    assert call(channel, "echo", b"m", metadata=[("word", "w")], timeout=30) == b"m w some"
    assert call(channel, "echo", b"m") == b"m  None"


def test_streams_keep_their_order_whatever_their_length(served):
    _, channel, _ = served
    sent = [b"%d" % number * 5000 for number in range(300)]

    assert list(channel.stream_stream("/t/twice")(iter(sent))) == [one + one for one in sent]
    assert channel.stream_unary("/t/join")(iter([b"a", b"", b"b"])) == b"a  b"
    assert list(channel.unary_stream("/t/count")(b"50")) == [b"%d" % number for number in range(50)]
    assert list(channel.stream_stream("/t/twice")(iter([]))) == []


def test_calls_of_many_connections_are_all_answered(served):
    _, channel, _ = served
    address = channel._channel.target().decode()

    def ask(number):
        local = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=local) as own:
            return [call(own, "echo", b"%d-%d" % (number, turn)) for turn in range(25)]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))

    assert answers == [[b"%d-%d  None" % (number, turn) for turn in range(25)] for number in range(16)]


def test_a_call_ends_as_its_method_says(served):
    _, channel, _ = served
    stopped, lacking = refused(channel, "stop"), refused(channel, "lacking")

    assert (stopped.code(), stopped.details()) == (grpc.StatusCode.DATA_LOSS, "größer 😀")
    assert dict(stopped.trailing_metadata()) == {"why": "7", "raw-bin": b"\0\xff"}
    assert (lacking.code(), lacking.details()) == (grpc.StatusCode.UNIMPLEMENTED, "not here")
    assert refused(channel, "nothing").code() == grpc.StatusCode.UNIMPLEMENTED


def test_only_the_first_end_counts(served):
    _, channel, _ = served
    ended = refused(channel, "raw")

    assert (ended.code(), ended.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "first")


def test_what_went_wrong_is_in_the_log_alone(served, caplog):
    _, channel, _ = served
    with caplog.at_level(logging.ERROR):
        failed = refused(channel, "fail")

    assert failed.code() == grpc.StatusCode.UNKNOWN
    assert SECRET not in failed.details()
    assert SECRET in caplog.text


def test_callers_that_go_or_run_out_of_time_end_their_methods(served):
    methods, channel, _ = served
    methods.heard.clear()
    gone = channel.unary_unary("/t/wait").future(b"gone")
    until(lambda: methods.begun)
    gone.cancel()
    late = refused(channel, "wait", b"late", timeout=1)
    until(lambda: len(methods.heard) == 2)

    assert late.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert sorted(methods.heard) == [("gone", True), ("late", True)]


def test_a_call_without_a_message_is_told_so(served):
    _, channel, _ = served
    with pytest.raises(grpc.RpcError) as raised:  # as a stream with nothing in it: the same on the wire
        channel.stream_unary("/t/echo")(iter([]))

    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_over_the_limit_is_refused_by_the_core():
    with (
        running(**{"grpc.max_receive_message_length": 1000}) as (_, _, port, _),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        assert refused(channel, "echo", b"x" * 2000).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert call(channel, "echo", b"y") == b"y  None"


def test_the_end_waits_for_what_runs_and_no_longer_than_it_was_told():
    async def let_go(methods):
        methods.open.set()

    for patience in (20, 0.2):
        with (
            running() as (methods, core, port, do),
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
            ThreadPoolExecutor(2) as pool,
        ):
            waiting = channel.unary_unary("/t/wait").future(b"x")
            call(channel, "echo")  # so it has come, too
            begun = time.monotonic()
            ending = pool.submit(do, core.stop(patience))
            time.sleep(0.3)
            if patience > 1:
                assert not ending.done()
                do(let_go(methods))
            ending.result(20)

            assert time.monotonic() - begun < 10
            if patience > 1:
                assert waiting.result() == b"x"
            else:
                assert waiting.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
                assert methods.heard == [("x", True)]


def test_a_taken_port_is_an_error_of_the_system():
    with running() as (_, _, port, do):

        async def again():
            Core({}, [("grpc.so_reuseport", 0)]).listen(f"127.0.0.1:{port}")

        with pytest.raises(OSError, match=str(port)):
            do(again())


def test_a_stream_whose_reader_has_gone_ends(served):
    methods, channel, _ = served
    methods.heard.clear()
    answers = channel.unary_stream("/t/forever")(b"x" * 1000)
    assert next(answers) == b"x" * 1000
    answers.cancel()
    until(lambda: methods.heard)

    assert methods.heard == [("forever", True)]
