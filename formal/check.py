#!/usr/bin/python3
"""check.py SPIN CC: runs each model in all its variants; README.md says what they show.

A model that keeps the protocol's rules must be explored to the end without an error. A variant that
breaks a rule must be caught by the property that this rule serves: a model that finds nothing
because it looks at nothing would be worse than none.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
SPIN, CC = sys.argv[1:3]
sys.path.insert(0, os.path.join(HERE, "..", "tests", "support"))

import tap  # noqa: E402

SECONDS = 60
MEGABYTES = 2048

# What spin prints when a property fails; each is a piece of that property's text.
DEADLOCK = "invalid end state"
SERVER_IS_WHO_IT_SAYS = "peer[i]!="
CLIENT_IS_WHO_IT_SAYS = "server_c[j]!="
NOTHING_IS_ACCEPTED_TWICE = "accepted[0]&&accepted[1]"
ENDS_CLEANLY_BY_ITSELF = "attacked||"
NEXT_MESSAGE_OF_THE_PEER = ".name=="
NOTHING_IS_MISSING = ".close_said&&"


def explore(model, *flags):
    """The number of errors, the text of the first, and all that spin said."""
    if not shutil.which(SPIN):
        raise AssertionError("spin is not installed, so nothing is shown: apt-get install spin")
    with tempfile.TemporaryDirectory() as folder:
        def run(*command):
            return subprocess.run(command, cwd=folder, text=True, timeout=SECONDS,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        made = run(SPIN, "-a", *flags, os.path.join(HERE, model + ".pml"))
        if made.returncode != 0 or not os.path.exists(os.path.join(folder, "pan.c")):
            raise AssertionError("spin refuses the model:\n" + made.stdout)
        run(CC, "-w", "-DSAFETY", f"-DMEMLIM={MEGABYTES}", "-o", "pan",
            "pan.c").check_returncode()
        out = run("./pan", "-m100000").stdout
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+) states, stored", out)
    if not errors or not states:
        raise AssertionError("the search ended early:\n" + out[-2000:])
    if errors.group(1) == "0" and \
            re.search(r"max search depth too small|reached -DMEMLIM|Search not completed", out):
        raise AssertionError("the search is not complete:\n" + out[-2000:])
    first = re.search(r"^pan:1: (.*)", out, re.MULTILINE)
    print("#", model, *flags, states.group(1), "states")
    return int(errors.group(1)), first.group(1) if first else "", out


class Model(unittest.TestCase):
    def holds(self, model, *flags):
        errors, first, out = explore(model, *flags)
        self.assertEqual(errors, 0, first + "\n" + out)

    def breaks(self, model, *flags, where):
        errors, first, out = explore(model, *flags)
        self.assertEqual(errors, 1, out)
        self.assertIn(where, first)


class Handshake(Model):
    def test_both_ends_are_who_they_say_and_agree(self):
        self.holds("handshake")

    def test_an_honest_run_gets_to_ready(self):
        self.breaks("handshake", "-DREACH", where="assertion violated  !(")

    def test_who_has_stolen_Ss_cannot_pose_as_a_client(self):
        self.holds("handshake", "-DSSLEAK")

    def test_who_has_stolen_Ss_could_if_V_were_enough(self):
        self.breaks("handshake", "-DSSLEAK", "-DAFTER_V", where=CLIENT_IS_WHO_IT_SAYS)

    def test_V_is_enough_as_long_as_Ss_is_secret(self):
        self.holds("handshake", "-DAFTER_V")

    def test_who_has_stolen_Cs_cannot_pose_as_the_server(self):
        self.holds("handshake", "-DCSLEAK")

    def test_Stag_keeps_replays_out_of_a_server_that_repeats_ES(self):
        self.holds("handshake", "-DSAME_ES")

    def test_without_Stag_such_a_server_takes_a_replay(self):
        self.breaks("handshake", "-DSAME_ES", "-DNOSTAG", where=NOTHING_IS_ACCEPTED_TWICE)

    def test_without_H_a_thief_of_Ss_can_make_the_two_disagree(self):
        self.breaks("handshake", "-DSSLEAK", "-DNOHASH", where=CLIENT_IS_WHO_IT_SAYS)

    def test_without_directions_CONFIRM_can_be_reflected_as_READY(self):
        self.breaks("handshake", "-DNODIRECTION", where=SERVER_IS_WHO_IT_SAYS)


class Session(Model):
    def test_by_itself_it_never_fails_or_gets_stuck(self):
        self.holds("session", "-DNOATTACKER")

    def test_two_renewals_and_all_messages_fit_into_one_run(self):
        self.breaks("session", "-DNOATTACKER", "-DREACH", where="assertion violated 0")

    def test_an_attacker_changes_nothing_and_never_makes_a_clean_end(self):
        self.holds("session")

    def test_DONE_must_be_the_last_of_its_epoch(self):
        self.breaks("session", "-DNOATTACKER", "-DDONE_NOT_LAST", where=ENDS_CLEANLY_BY_ITSELF)

    def test_a_client_must_not_CLOSE_within_a_renewal(self):
        self.breaks("session", "-DNOATTACKER", "-DCLOSE_AT_ONCE", where=ENDS_CLEANLY_BY_ITSELF)

    def test_a_CLOSE_must_cancel_the_renewal_that_it_crosses(self):
        self.breaks("session", "-DNOATTACKER", "-DRENEWAL_SURVIVES_CLOSE", where=DEADLOCK)

    def test_no_ACK_may_follow_a_CLOSE(self):
        self.breaks("session", "-DNOATTACKER", "-DACK_AFTER_CLOSE", where=ENDS_CLEANLY_BY_ITSELF)

    def test_a_nonce_needs_the_direction(self):
        self.breaks("session", "-DNODIRECTION", where=NEXT_MESSAGE_OF_THE_PEER)

    def test_a_nonce_or_its_key_needs_the_epoch(self):
        self.breaks("session", "-DNOEPOCH", where=NEXT_MESSAGE_OF_THE_PEER)

    def test_a_nonce_needs_the_counter(self):
        self.breaks("session", "-DNOCOUNTER", where=NEXT_MESSAGE_OF_THE_PEER)

    def test_the_end_of_a_connection_is_not_the_end_of_a_session(self):
        self.breaks("session", "-DEOF_IS_CLOSE", where=NOTHING_IS_MISSING)

    def test_silence_after_ones_own_CLOSE_is_not_the_other_CLOSE(self):
        self.breaks("session", "-DSILENCE_IS_CLOSE", where=NOTHING_IS_MISSING)


tap.run(sys.modules[__name__])
