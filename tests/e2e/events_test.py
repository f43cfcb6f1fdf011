# SPDX-License-Identifier: Apache-2.0
"""Events: how StreamEvents returns them and `ftl events` shows them."""

import json
import re
import signal
import subprocess
import threading
import time

from fake_backplane import ftl, ftl_grpc
from harness import FTL, LONG, module, wait_for

KIND = ftl.EventKind


def read(backplane, module="", tail=10_000, **more):
    stream = backplane.rpc.StreamEvents(ftl.StreamEventsRequest(module=module, tail=tail, **more), timeout=LONG)
    return [response.event for response in stream]


def names(events):
    return [KIND.Name(event.kind).removeprefix("EVENT_KIND_").lower() for event in events]


def ftl_run(backplane, *arguments, **more):
    command = [FTL, *arguments, "--endpoint", backplane.endpoint]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, **more)


def test_the_events_of_a_deployment_name_their_causes(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=1))
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    events = wait_for(lambda: (found := read(backplane)) and "deployment_stopped" in names(found) and found, "the end")
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert names(events)[:3] == ["backplane_started", "runner_probing", "runner_idle"]
    of_echo = read(backplane, "echo")
    assert names(of_echo) == [
        "deployment_created",
        "runner_deploying",
        "runner_alive",
        "deployment_live",
        "deployment_scaled",
        "deployment_draining",
        "runner_draining",
        "deployment_stopped",
    ]
    assert {(event.module, event.deployment_key) for event in of_echo} == {("echo", key)}
    assert {event.runner_key for event in of_echo if "runner" in KIND.Name(event.kind).lower()} == {runner.key}
    assert of_echo[5].text == of_echo[6].text == "killed"


def test_a_failure_has_its_reason_and_the_time_of_the_next_attempt(backplane, make_runner):
    runner = make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    runner.report(runner.hosts, error="its disk is full", lines=["one", "two"])
    found = wait_for(
        lambda: [event for event in read(backplane) if event.kind == KIND.EVENT_KIND_DEPLOYMENT_BACKING_OFF],
        "the backing off",
    )
    assert "its disk is full" in found[0].text
    assert list(found[0].last_lines) == ["one", "two"]
    assert found[0].retry_ms == found[0].time_ms + 100


def test_events_of_acknowledged_requests_survive_a_crash(backplane, runner):
    key = backplane.deploy(module())
    assert "deployment_created" in names(read(backplane))
    before = read(backplane)
    backplane.kill()
    backplane.start()
    after = read(backplane)
    assert after[: len(before)] == before
    assert [event.deployment_key for event in after if event.kind == KIND.EVENT_KIND_DEPLOYMENT_CREATED] == [key]
    wait_for(lambda: names(read(backplane)).count("backplane_started") == 2, "the second start")
    sequences = [event.sequence for event in read(backplane)]
    assert sequences == sorted(set(sequences))


def test_filters_by_tail_sequence_and_module(backplane, make_runner):
    make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    everything = wait_for(
        lambda: (found := read(backplane)) and names(found)[-1] == "deployment_live" and found, "the last event"
    )
    assert read(backplane, tail=2) == everything[-2:]
    assert read(backplane, tail=0) == []
    late = everything[-1].time_ms
    assert read(backplane, since_ms=late) == [event for event in everything if event.time_ms >= late]
    assert read(backplane, since_ms=late + 3_600_000) == []


def test_an_unknown_module_is_named(backplane, refused):
    backplane.deploy(module())
    with refused("NOT_FOUND", "there is no module ecko; did you mean echo?"):
        read(backplane, "ecko")
    # A module that is known but has no new events is accepted.
    assert read(backplane, "echo", since_ms=2**62) == []


def test_a_follower_gets_each_new_event_once(backplane, make_runner):
    stream = backplane.rpc.StreamEvents(ftl.StreamEventsRequest(module="echo", tail=0, follow=True), timeout=LONG)
    stream.initial_metadata()
    make_runner().register()
    key = backplane.deploy(module())
    for _ in range(20):
        backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=1))
    seen = [next(stream).event]
    while names(seen).count("deployment_scaled") < 20:
        seen.append(next(stream).event)
    stream.cancel()
    assert (seen[0].kind, seen[0].deployment_key) == (KIND.EVENT_KIND_DEPLOYMENT_CREATED, key)
    assert seen == read(backplane, "echo")[: len(seen)]


def test_a_watcher_that_stalls_delays_nobody(backplane, make_runner):
    make_runner().register()
    backplane.wait_live(backplane.deploy(module()))
    slow = backplane.rpc.StreamEvents(ftl.StreamEventsRequest(tail=10_000, follow=True), timeout=LONG)
    for _ in range(300):
        backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=1))
    scaled = [event for event in read(backplane, "echo") if event.kind == KIND.EVENT_KIND_DEPLOYMENT_SCALED]
    assert len(scaled) == 300
    # The watcher misses no event, as it reads the older ones from the store.
    seen = []
    while len(seen) < 300:
        event = next(slow).event
        if event.kind == KIND.EVENT_KIND_DEPLOYMENT_SCALED:
            seen.append(event)
    slow.cancel()
    assert seen == scaled


def test_many_watchers_that_leave_do_not_affect_another(backplane, make_runner):
    """Each client stays within its limit of streams; together they have more on the connections to the control side."""
    make_runner().register()
    stays = backplane.rpc.StreamEvents(ftl.StreamEventsRequest(module="echo", tail=0, follow=True), timeout=2 * LONG)
    stays.initial_metadata()
    channels = [backplane.new_channel() for _ in range(14)]
    request = ftl.StreamEventsRequest(module="nobody", follow=True)
    leave = []
    for channel in channels:
        stub = ftl_grpc.BackplaneServiceStub(channel)
        leave += [stub.StreamEvents(request, timeout=2 * LONG) for _ in range(200)]
    for stream in leave:
        stream.initial_metadata()
    for channel in channels:
        channel.close()
    backplane.deploy(module())
    assert next(stays).event.kind == KIND.EVENT_KIND_DEPLOYMENT_CREATED


def test_the_command_line(backplane, runner, monkeypatch):
    monkeypatch.setenv("TZ", "<+0545>-5:45")
    key = backplane.deploy(module())
    backplane.wait_live(key)
    wait_for(lambda: "deployment_live" in names(read(backplane)), "the event")
    shown = ftl_run(backplane, "events", "echo")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert "deployment created" in lines[0] and key in lines[0] and lines[0].endswith(" created")
    assert "\033" not in shown.stdout
    (event,) = read(backplane, "echo", tail=1)
    utc = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(event.time_ms // 1000))
    assert lines[-1].startswith(f"{utc}.{event.time_ms % 1000:03}Z deployment live")
    as_json = [json.loads(line) for line in ftl_run(backplane, "events", "-o", "json").stdout.splitlines()]
    assert [(one["sequence"], one["kind"]) for one in as_json] == [
        (event.sequence, name) for event, name in zip(read(backplane), names(read(backplane)), strict=True)
    ]
    assert len(ftl_run(backplane, "events", "-n", "2").stdout.splitlines()) == 2
    none = ftl_run(backplane, "events", "--since", "0s")
    assert (none.stdout, none.stderr) == ("", "no event is kept since then\n")
    assert ftl_run(backplane, "events", "--since", "1h", "echo").stdout == shown.stdout
    assert ftl_run(backplane, "events", "--since", "2020-01-01T00:00:00Z", "echo").stdout == shown.stdout
    for wrong in (["--since", "yesterday"], ["-n", "many"]):
        result = ftl_run(backplane, "events", *wrong)
        assert (result.returncode, result.stdout) == (2, "") and wrong[1] in result.stderr


def test_a_deploy_of_what_was_deployed_before_creates_nothing(backplane, runner):
    key = backplane.deploy(module())
    backplane.wait_live(key)
    assert backplane.deploy(module()) == key
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    wait_for(lambda: "deployment_stopped" in names(read(backplane)), "the end")
    assert backplane.deploy(module()) == key
    backplane.rpc.KillModule(ftl.KillModuleRequest(module="echo"))
    shown = ftl_run(backplane, "events", "echo").stdout
    told = [re.split(f" +{key} ", line.split("Z ", 1)[1]) for line in shown.splitlines() if "created" in line or "again" in line]
    assert told == [
        ["deployment created", "created"],
        ["deployed again", "deployed again; it is the active one already"],
        ["deployed again", "deployed again"],
    ]


def test_the_command_line_follows_until_sigint(backplane, runner):
    command = [FTL, "events", "-f", "-n", "0", "-o", "json", "--endpoint", backplane.endpoint]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        # The test cannot see when `ftl events` begins to follow, so it causes events until one is printed.
        backplane.deploy(module())
        lines = []

        def cause_event():
            backplane.rpc.ScaleModule(ftl.ScaleModuleRequest(module="echo", replicas=1))
            return lines

        reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()))
        reader.start()
        wait_for(cause_event, "a line")
        assert json.loads(lines[0])["sequence"] > 0
        process.send_signal(signal.SIGINT)
        assert process.wait(LONG) == 130
        reader.join()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
