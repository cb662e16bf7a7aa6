"""The varlink package of PyPI, unchanged, against the daemon at the socket that is given. Prints one line per step."""

import sys
import threading

import varlink

address = "unix:" + sys.argv[1]


def refused(call, *args, **named):
    try:
        call(*args, **named)
    except varlink.VarlinkError as error:
        return error
    raise SystemExit("not refused")


with varlink.Client.new_with_address(address) as client:
    assert client.get_interfaces() == ["org.varlink.service", "io.khelper.Control"]
    info = client.open("org.varlink.service").GetInfo()
    print("info", info["product"], info["version"])
    with client.open("io.khelper.Control") as control:
        print("get", control.Get("khelper.era")["text"])
        print("list", len(control.List()["knobs"]))
        error = refused(control.Set, [{"key": "khelper.era", "text": "6.4"}])
        assert error.error() == "io.khelper.Control.InvalidValue", error.error()
        print("invalid", error.parameters()["knob"], error.parameters()["errno"])
        error = refused(control.Get, "khelper.nothing")
        print("unknown", error.parameters()["knob"])
        changes = control.Set([{"key": "kernel.usermodehelper.bset", "text": "-cap_sys_rawio"}])["changes"]
        print("set", "cap_sys_rawio" in changes[0]["after"]["mask"]["exactly"]["names"])
        reply = control.Run("/bin/sh", ["-c", "echo out; exit 3"])
        print("run", reply["state"], reply["record"]["status"], reply["record"]["output"]["stdout"].strip())
        reply = control.Rehearse("/bin/sh", ["-c", "exit 4"], {"exactly": {"names": []}})
        print("rehearse", reply["draft"]["status"], reply["live"]["status"], reply["as_live"], len(reply["differences"]) > 0)
        states = [reply["state"] for reply in control.Request("dummy", _more=True)]
        print("more", *states)

        # A line is written at most a second after its event.
        while "ended" not in (control.Why(id=4)["line"] or {"what": {}})["what"]:
            pass
        lines, start = [], None
        while True:
            page = control.Log(outcome="exited", most=1, **({"from": start} if start else {}))
            lines += [line["what"]["ended"]["id"] for line in page["lines"]]
            start = page.get("next")
            if start is None:
                break
        told = control.Why(id=lines[0])
        print("log", *lines, "why", told["line"]["what"]["ended"]["path"], told["earlier"])

        ready, seen = threading.Event(), []

        def watch():
            with varlink.Client.new_with_address(address) as other, other.open("io.khelper.Control") as watched:
                run = info_of["run"]
                for reply in watched.Watch(kinds=["knob_changed"], run=run, after=seq, _more=True):
                    if reply.get("missed"):
                        seen.append("missed %d" % reply["missed"])
                        ready.set()
                    if reply.get("event"):
                        seen.append(reply["event"]["kind"]["knob_changed"]["change"]["after"]["globs"])
                        return

        status = control.Status()
        info_of, seq = control.Info(), status["state"]["seq"]
        control.Set([{"key": "khelper.deny", "text": "before"}])
        thread = threading.Thread(target=watch)
        thread.start()
        assert ready.wait(20), "no gap was reported"
        control.Set([{"key": "khelper.deny", "text": "after"}])
        thread.join(20)
        print("watch", *seen)
