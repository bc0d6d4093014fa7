"""Apache Kafka for tests: a broker in KRaft mode, from Maven Central, run with the machine's Java.

The jars are fetched once into a cache folder. Where they, Java or Maven can't be had, tests fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.lifetime import ending_with_parent
from tests.support.server import free_port

VERSION = "4.1.0"
LOGGING_VERSION = "2.24.3"
START_SECONDS = 60.0
FETCH_SECONDS = 600
CLUSTER = "4L6g3nShT-eMCtK--X86sw"
PASSWORD = "a password of the tests"
POM = f"""
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>acta</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOGGING_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""
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
listener.name.secure.ssl.keystore.location={folder}/keys.p12
listener.name.secure.ssl.keystore.type=PKCS12
listener.name.secure.ssl.keystore.password={password}
listener.name.secure.ssl.key.password={password}
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


def jars() -> Path:
    """The folder with all jars; fetched when it is not there. Raises AssertionError when that fails."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "acta-tests"
    folder = cache / f"kafka-{VERSION}"
    if folder.is_dir():
        return folder
    assert shutil.which("mvn"), "the tests need Maven (mvn) to fetch Apache Kafka"
    cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=cache, prefix="fetching-"))
    try:
        (work / "pom.xml").write_text(POM)
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"]
        done = subprocess.run(
            [*command, f"-DoutputDirectory={work}/jars"],
            cwd=work,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS,
        )
        assert done.returncode == 0, f"Apache Kafka could not be fetched: {done.stdout[-2000:]}"
        if not folder.exists():
            (work / "jars").rename(folder)
    finally:
        shutil.rmtree(work)
    return folder


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
        """Start, and wait until connections are accepted."""
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

    def _java(self, main: str, *arguments: str, memory: str = "128m") -> list[str]:
        java = shutil.which("java")
        assert java, "the tests need Java to run Apache Kafka"
        options = [f"-Xmx{memory}", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
        return [java, *options, "-Dlog4j2.level=WARN", "-cp", f"{jars()}/*", main, *arguments]

    def _make_keys(self) -> None:
        keys = str(self.folder / "keys.p12")
        store = ["-alias", "acta", "-keystore", keys, "-storetype", "PKCS12", "-storepass", PASSWORD]
        make = ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=127.0.0.1", "-ext", "SAN=IP:127.0.0.1"]
        for action in (make, ["-exportcert", "-rfc", "-file", str(self.authority)]):
            done = subprocess.run(["keytool", *action, *store], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stdout + done.stderr


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
