"""Clients that this project did not write, against the real host.

Each case runs over Apache's generated client and over thriftpy2, framed and unframed, strict and non-strict.
"""

import contextlib
import http.client
import importlib
import itertools
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import traceback
import urllib.request

import thriftpy2
from thrift.protocol import TBinaryProtocol
from thrift.Thrift import TApplicationException
from thrift.transport import TSocket, TSSLSocket, TTransport
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.thrift import TApplicationException as TApplicationException2
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory

PROGRAM, IDL, CERTIFICATES = sys.argv[1:]
PORTS = {"LogWriter": "writer", "LogReader": "reader", "LogManager": "manager"}
ERRORS = (TApplicationException, TApplicationException2)


def certificate(name, kind="pem"):
    return os.path.join(CERTIFICATES, f"{name}.{kind}")


def tls_context(identity):
    """Trusts the host's authority; shows the certificate of `identity`, or none."""
    context = ssl.create_default_context(cafile=certificate("authority"))
    if identity:
        context.load_cert_chain(certificate(identity), certificate(identity, "key"))
    return context


class Host:
    def __init__(self, folder, encrypted=False):
        self.encrypted = encrypted
        names = ["writer", "reader", "manager", "metrics"]
        sockets = [socket.socket() for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        self.port = {name: one.getsockname()[1] for name, one in zip(names, sockets)}
        for one in sockets:
            one.close()
        arguments = [PROGRAM, "serve", "--data", folder]
        for name in names:
            arguments += [f"--{name}-addr", f"127.0.0.1:{self.port[name]}"]
        if encrypted:
            arguments += ["--tls-cert", certificate("host"), "--tls-key", certificate("host", "key")]
            arguments += ["--tls-client-ca", certificate("authority")]
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "ready" in line and "ready-" not in line:
                break
        else:
            raise RuntimeError("the host did not get ready")
        # The rest of the log must go somewhere, or the host would block on a full pipe.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait()
        self.drain.wait()
        assert code == 0, f"exit code {code}"


class Apache:
    """Code that `thrift --gen py` generated from the project's IDL."""

    name = "thrift"
    types = importlib.import_module("logtank.rpc.ttypes")

    @staticmethod
    @contextlib.contextmanager
    def client(service, host, framed, strict, identity="client"):
        module = importlib.import_module(f"logtank.rpc.{service}")
        port = host.port[PORTS[service]]
        if host.encrypted:
            # Thrift's own encrypted socket.
            own = {"certfile": certificate(identity), "keyfile": certificate(identity, "key")} if identity else {}
            transport = TSSLSocket.TSSLSocket(
                "localhost", port, cert_reqs=ssl.CERT_REQUIRED, ca_certs=certificate("authority"), **own
            )
        else:
            transport = TSocket.TSocket("127.0.0.1", port)
        transport.setTimeout(20_000)
        transport = TTransport.TFramedTransport(transport) if framed else TTransport.TBufferedTransport(transport)
        client = module.Client(TBinaryProtocol.TBinaryProtocol(transport, strictRead=strict, strictWrite=strict))
        transport.open()
        try:
            yield client
        finally:
            transport.close()


class Thriftpy2:
    """An implementation of its own, reading the IDL at run time."""

    name = "thriftpy2"
    types = thriftpy2.load(IDL, module_name="logtank_thrift")

    @staticmethod
    @contextlib.contextmanager
    def client(service, host, framed, strict, identity="client"):
        client = make_client(
            getattr(Thriftpy2.types, service),
            "localhost" if host.encrypted else "127.0.0.1",
            host.port[PORTS[service]],
            ssl_context=tls_context(identity) if host.encrypted else None,
            proto_factory=TBinaryProtocolFactory(strict_read=strict, strict_write=strict),
            trans_factory=TFramedTransportFactory() if framed else TBufferedTransportFactory(),
            timeout=20_000,
        )
        try:
            yield client
        finally:
            client.close()


def recover(library, host, index, framed, strict):
    """What an index engine does: applies every record in order."""
    state = {}
    token = library.types.LogPageToken()
    pages = 0
    with library.client("LogReader", host, framed, strict) as reader:
        while True:
            page = reader.read_page(index, token)
            pages += 1
            for record in page.batch.records:
                if record.deleted:
                    state.pop(record.docid, None)
                if record.fields is None and record.variables is None and record.categories is None:
                    continue
                document = state.setdefault(record.docid, {"fields": None, "variables": {}, "categories": {}})
                if record.fields is not None:
                    document["fields"] = dict(record.fields)
                document["variables"].update(record.variables or {})
                document["categories"].update(record.categories or {})
            token = page.next_page_token
            if token is None:
                return state, pages
            assert pages < 10_000, "the recovery does not end"


def record(library, index, docid, deleted=False, **content):
    return library.types.LogRecord(index_code=index, docid=docid, deleted=deleted, **content)


def batch(library, *records):
    return library.types.LogBatch(records=list(records))


def writes_and_recovers(library, host, framed, strict):
    index = f"w-{library.name}-{framed:d}-{strict:d}"
    with library.client("LogWriter", host, framed, strict) as writer:
        writer.send_batch(
            batch(
                library,
                record(library, index, "a", fields={"text": "hello", "timestamp": "1"}, variables={0: 1.5, 7: -2.0}),
                record(library, index, "ünï-日本-😀", fields={"text": "Ελληνικά"}, categories={"color": "red"}),
                record(library, index, "gone", fields={"text": "x"}),
                record(library, "other-" + index, "z", fields={"text": "other"}),
            )
        )
        writer.send_batch(batch(library, record(library, index, "a", variables={0: 3.0}, categories={"size": "M"})))
        writer.send_batch(batch(library, record(library, index, "gone", deleted=True)))
        writer.send_batch(batch(library))
    state, _ = recover(library, host, index, framed, strict)
    assert state == {
        "a": {"fields": {"text": "hello", "timestamp": "1"}, "variables": {0: 3.0, 7: -2.0}, "categories": {"size": "M"}},
        "ünï-日本-😀": {"fields": {"text": "Ελληνικά"}, "variables": {}, "categories": {"color": "red"}},
    }, state


def refuses_and_goes_on(library, host, framed, strict):
    index = f"r-{library.name}-{framed:d}-{strict:d}"
    with library.client("LogWriter", host, framed, strict) as writer:
        good = record(library, index, "good", fields={"t": "1"})
        for bad in (
            record(library, None, "x", fields={"t": "1"}),
            record(library, "../../x", "x", fields={"t": "1"}),
            record(library, "", "x", fields={"t": "1"}),
            record(library, "e" * 300, "x", fields={"t": "1"}),
            record(library, index, None, fields={"t": "1"}),
            library.types.LogRecord(id=7, index_code=index, docid="x", deleted=False, fields={"t": "1"}),
        ):
            try:
                writer.send_batch(batch(library, good, bad, good))
            except ERRORS as error:
                assert str(error.message), "the refusal says why"
            else:
                raise AssertionError(f"accepted {bad}")
        # Nothing of a refused batch was written, and the connection is still good.
        assert recover(library, host, index, framed, strict)[0] == {}
        writer.send_batch(batch(library, good))
    assert set(recover(library, host, index, framed, strict)[0]) == {"good"}


def many_pages(library, host, framed, strict):
    index = f"p-{library.name}-{framed:d}-{strict:d}"
    count, text = 400, "0123456789abcdef" * 2048
    with library.client("LogWriter", host, framed, strict) as writer:
        for first in range(0, count, 50):
            writer.send_batch(
                batch(library, *(record(library, index, f"d{n}", fields={"t": text}) for n in range(first, first + 50)))
            )
    state, pages = recover(library, host, index, framed, strict)
    assert len(state) == count, len(state)
    assert pages >= 3, f"{count * len(text)} bytes came in {pages} pages"
    assert all(document["fields"]["t"] == text for document in state.values())


def manages(library, host, framed, strict):
    index = f"m-{library.name}-{framed:d}-{strict:d}"
    with library.client("LogWriter", host, framed, strict) as writer:
        writer.send_batch(batch(library, record(library, index, "a", fields={"t": "1"})))
    with library.client("LogManager", host, framed, strict) as manager:
        assert manager.get_raw_log_info().undealt_segments, "what was just written is not dealt yet"
        info = manager.get_index_log_info("never-" + index)
        assert not info.unsorted_segments and info.unoptimized_record_count == 0
        assert "never-" + index not in manager.list_existing_indexes()
        assert isinstance(manager.get_optimization_queue(), dict)
        manager.delete_index(index)
        manager.delete_index("never-" + index)
    assert recover(library, host, index, framed, strict)[0] == {}
    with library.client("LogWriter", host, framed, strict) as writer:
        writer.send_batch(batch(library, record(library, index, "b", fields={"t": "2"})))
    assert set(recover(library, host, index, framed, strict)[0]) == {"b"}


def refuses_forged_tokens(library, host, framed, strict):
    index = f"f-{library.name}-{framed:d}-{strict:d}"
    with library.client("LogReader", host, framed, strict) as reader:
        for forged in (
            library.types.LogPageToken(type=1, timestamp=1, file_position=17),
            library.types.LogPageToken(type=3, timestamp=-1, file_position=-1),
            library.types.LogPageToken(type=0, OBSOLETE_2="nonsense"),
        ):
            try:
                reader.read_page(index, forged)
            except ERRORS as error:
                assert "start" in error.message, error.message
            else:
                raise AssertionError(f"took {forged}")
        assert reader.read_page(index, library.types.LogPageToken()).batch.records == []


def pipelines(_library, host, framed, strict):
    """Many requests before the first reply is read; replies come in order."""

    def text(value):
        return struct.pack(">i", len(value)) + value

    requests, count = b"", 500
    for number in range(count):
        head = struct.pack(">I", 0x80010001) + text(b"send_batch") if strict else text(b"send_batch") + b"\x01"
        fields = b"\x0b\x00\x03" + text(b"pipe") + b"\x0b\x00\x04" + text(b"d%d" % number) + b"\x02\x00\x05\x00"
        fields += b"\x0d\x00\x06\x0b\x0b" + struct.pack(">i", 1) + text(b"t") + text(b"v") + b"\x00"
        body = b"\x0c\x00\x01\x0f\x00\x01\x0c" + struct.pack(">i", 1) + fields + b"\x00\x00"
        message = head + struct.pack(">i", number) + body
        requests += (struct.pack(">i", len(message)) if framed else b"") + message
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", host.port["writer"]), timeout=20))
        if host.encrypted:
            connection = stack.enter_context(tls_context("client").wrap_socket(connection, server_hostname="localhost"))
        connection.sendall(requests)
        stream = connection.makefile("rb")
        for number in range(count):
            if framed:
                stream.read(4)
            if strict:
                version, length = struct.unpack(">Ii", stream.read(8))
                assert version == 0x80010002, hex(version)
                name = stream.read(length)
            else:
                name = stream.read(struct.unpack(">i", stream.read(4))[0])
                assert stream.read(1) == b"\x02"
            assert name == b"send_batch"
            assert struct.unpack(">i", stream.read(4))[0] == number
            assert stream.read(1) == b"\x00"


def strangers_are_refused(library, host, framed, strict):
    """Who shows no certificate of the host's authority gets nowhere, on any port; neither does who speaks no TLS."""
    for service in PORTS:
        for identity in (None, "unknown"):
            try:
                with library.client(service, host, framed, strict, identity) as client:
                    if service == "LogWriter":
                        client.send_batch(batch(library, record(library, "stranger", "d")))
                    elif service == "LogReader":
                        client.read_page("stranger", library.types.LogPageToken())
                    else:
                        client.list_existing_indexes()
            except Exception as error:
                assert not isinstance(error, ERRORS), error
            else:
                raise AssertionError(f"{service} took {identity}")
    state, _ = recover(library, host, "stranger", framed, strict)
    assert state == {}


def scrapes_encrypted(_library, host, _framed, _strict):
    url = f"https://localhost:{host.port['metrics']}/metrics"
    with urllib.request.urlopen(url, context=tls_context("client"), timeout=20) as answer:
        assert "logtank_records_total" in answer.read().decode()
    try:
        urllib.request.urlopen(url, context=tls_context(None), timeout=20)
    except (OSError, http.client.HTTPException):
        pass
    else:
        raise AssertionError("metrics for whoever asks")


CASES = [writes_and_recovers, refuses_and_goes_on, many_pages, manages, refuses_forged_tokens, pipelines]
CASES_ENCRYPTED = [*CASES, strangers_are_refused, scrapes_encrypted]


def main():
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for encrypted, cases in ((False, CASES), (True, CASES_ENCRYPTED)):
            host = Host(os.path.join(folder, f"data-{encrypted:d}"), encrypted)
            for case, library, framed, strict in itertools.product(
                cases, (Apache, Thriftpy2), (False, True), (True, False)
            ):
                name = f"{case.__name__} {library.name} encrypted={encrypted} framed={framed} strict={strict}"
                try:
                    case(library, host, framed, strict)
                    passed += 1
                    print(f"ok   {name}")
                except Exception:
                    failed += 1
                    print(f"FAIL {name}")
                    traceback.print_exc()
            host.stop()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
