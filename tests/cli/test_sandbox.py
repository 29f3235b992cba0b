"""`spotzee-logging sandbox` runs until it is told to stop."""

import json
import re
import signal
import socket
import sys

import pytest
import requests

from spotzee_logging import Settings


def read_greeting(process):
    """The lines up to the one that says how to end it."""
    lines = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return "".join(lines)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers no such signals to one child")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_ended(start, number):
    """Its first words, also in a pipe, are a URL that works; Ctrl-C and SIGTERM end it with 0."""
    process = start("sandbox", "--port", 0)
    greeting = read_greeting(process)
    page = re.search(r"See events arrive at (\S+)", greeting)[1]
    url = re.search(r"SPOTZEE_BASE_URL=(\S+)", greeting)[1]
    event = {"name": "order_placed", "external_id": "cust_001"}
    headers = {"Authorization": "Bearer sk_anything"}

    assert "<title>" in requests.get(page, timeout=5).text
    assert requests.post(f"{url}/events", json=[event], headers=headers, timeout=5).status_code == 204
    controls = re.search(r"GET +(\S+/events)", greeting)[1]
    assert requests.get(controls, timeout=5).json()[0]["name"] == "order_placed"
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "The sandbox has stopped.\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_it_tells_programs_its_addresses_in_json(start, command):
    """One line of JSON, and no other: who starts it from a script need not search a text."""
    process = start("sandbox", "--port", 0, "--json")
    told = json.loads(process.stdout.readline())

    done = command("send", "-", stdin='{"name": "seen", "external_id": "c1"}\n', **told["variables"])
    assert done.returncode == 0
    assert requests.get(f"{told['controls']}/events", timeout=5).json()[0]["name"] == "seen"
    assert "<title>" in requests.get(told["page"], timeout=5).text
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_send_reaches_it_with_the_variables_that_it_prints(start, command):
    """Copying the two variables is all the set-up there is; a chosen port is the one that is served."""
    with socket.socket() as chooser:
        chooser.bind(("127.0.0.1", 0))
        port = chooser.getsockname()[1]
    process = start("sandbox", "--port", port, "--host", "127.0.0.1")
    greeting = read_greeting(process)
    variables = dict(re.findall(r"(SPOTZEE_\w+)=(\S+)", greeting))

    assert f"http://127.0.0.1:{port}/" in variables["SPOTZEE_BASE_URL"]
    done = command("send", "-", stdin='{"name": "seen", "external_id": "c1"}\n', **variables)
    assert (done.returncode, done.stdout) == (0, "1 delivered, 0 rejected, 0 undelivered\n")


def test_a_taken_port_is_one_clear_line(command):
    """Who starts a second one on the same port learns it in a line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("sandbox", "--port", port)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: cannot listen on 127.0.0.1, port {port}: ")
    assert done.stderr.count("\n") == 1


def test_it_stands_on_the_documented_port(command):
    """Without `--port` it is 8025, on loopback, as `--help` says."""
    text = " ".join(command("sandbox", "--help").stdout.split())

    assert "[default: 8025; 0<=x<=65535]" in text
    assert "[default: 127.0.0.1]" in text
    assert "Example: spotzee-logging sandbox" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "shop.example"])
def test_beyond_this_machine_it_listens_only_when_told_so(command, host):
    """Who would open the sandbox to others learns what these could do, and the flag that means it."""
    done = command("sandbox", "--port", 0, "--host", host)

    assert (done.returncode, done.stdout) == (2, "")
    assert "read every event" in done.stderr
    assert "--expose" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_exposed_it_can_be_reached_by_its_addresses(start):
    """With the flag it listens where it was told, and what it greets with is an address that a handler takes."""
    process = start("sandbox", "--port", 0, "--host", "0.0.0.0", "--expose")
    url = re.search(r"SPOTZEE_BASE_URL=(\S+)", read_greeting(process))[1]

    assert "<title>" in requests.get(url.replace("/api/client", "/"), timeout=5).text
    assert Settings(api_key="sk_anything", base_url=url).base_url == url


@pytest.fixture
def own_address():
    """The address that this machine has in its network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine is in no network")
        return asking.getsockname()[0]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_at_an_address_that_no_handler_takes_it_says_so(start, own_address):
    """Under an address of the network it names no variables that a SpotzeeHandler would refuse."""
    process = start("sandbox", "--port", 0, "--host", own_address, "--expose")
    greeting = read_greeting(process)

    assert "SPOTZEE_BASE_URL" not in greeting
    assert "--host 0.0.0.0" in greeting


def test_a_port_that_cannot_be_is_a_usage_error(command):
    """65536 is no port."""
    assert command("sandbox", "--port", 65536).returncode == 2
