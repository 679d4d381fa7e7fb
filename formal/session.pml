/* A session after READY: records, renewal of the keys and CLOSE. Both ends follow
   src/stream/session.cpp step by step.

   A record is sealed under its direction, epoch and counter and opens under these only. As long as
   there is no attacker, both streams arrive whole and in order. From any moment on there may be
   one: then any record that was ever sent can arrive as the next one (he repeats, swaps, reflects),
   or none (he drops), and a stream can end at any place (he cuts).

   formal/README.md says what this shows; formal/check.py runs all variants. */

#define MAX_MESSAGES 2 /* in each direction */
#define MAX_RENEWALS 2
#define RECORDS 6 /* one direction of an epoch has no more; spin checks the index */

mtype = { MESSAGE, REQ, ACK, DONE, CLOSE };
mtype = { running, closed, truncated, not_authentic, violation, timed_out };

/* Directions, and the ends that send in them: the client sends up. */
#define UP 0
#define DOWN 1

typedef Record {
  mtype kind; /* 0: not sent */
  byte name   /* of a message */
};
typedef Epoch {
  Record record[RECORDS]
};
typedef End {
  Epoch sealed[MAX_RENEWALS + 1];
  byte epoch, counter;                 /* of the next record to be sealed */
  byte opening_epoch, opening_counter; /* of the next record to be opened */
  byte sent, received;                 /* messages */
  bool renewing; /* client: REQ is out, ACK is not here; server: ACK is out, DONE is not here */
  bool close_wanted, close_said, peer_close;
  mtype end
};
End side[2];
#define ME side[d]
#define PEER side[1 - d]

chan wire[2] = [RECORDS * 2] of { byte, byte }; /* epoch, counter */
bool attacked;                                  /* from then on no wire is used */
byte renewals;

#define RECORD(from, e, n) side[from].sealed[e].record[n]
#define NAME(from, number) ((from) * 10 + (number))

#if defined(NODIRECTION)
#define OPENS(from, e, n) (e == ME.opening_epoch && n == ME.opening_counter)
#elif defined(NOEPOCH)
#define OPENS(from, e, n) (from == 1 - d && n == ME.opening_counter)
#elif defined(NOCOUNTER)
#define OPENS(from, e, n) (from == 1 - d && e == ME.opening_epoch)
#else
#define OPENS(from, e, n) (from == 1 - d && e == ME.opening_epoch && n == ME.opening_counter)
#endif

inline seal(what) {
  assert(RECORD(d, ME.epoch, ME.counter).kind == 0); /* no nonce twice */
  RECORD(d, ME.epoch, ME.counter).kind = what;
  if
  :: what == MESSAGE ->
     ME.sent++;
     RECORD(d, ME.epoch, ME.counter).name = NAME(d, ME.sent)
  :: else
  fi;
  if
  :: !attacked -> wire[d]!ME.epoch,ME.counter
  :: else
  fi;
  ME.counter++
}
inline next_sealing_epoch() {
  ME.epoch++;
  ME.counter = 0
}
inline next_opening_epoch() {
  ME.opening_epoch++;
  ME.opening_counter = 0
}

/* Whoever has ended writes nothing more and closes the connection. */
inline end_with(how) {
  assert(attacked || how == closed); /* nothing else ever happens by itself */
  assert(how != closed || (PEER.close_said && ME.received == PEER.sent)); /* nothing is missing */
  ME.end = how;
  ME.renewing = false
}

inline say_close() {
  if
  :: !ME.close_said ->
     seal(CLOSE);
     ME.close_said = true;
     if
     :: ME.peer_close -> end_with(closed)
     :: else
     fi
  :: else
  fi
}
inline say_close_if_wanted() {
  if
  :: ME.close_wanted -> say_close()
  :: else
  fi
}
inline close() {
  ME.close_wanted = true;
  if
#ifdef CLOSE_AT_ONCE
  :: true -> say_close()
#else
  :: ME.renewing /* when the renewal is over */
  :: else -> say_close()
#endif
  fi
}

inline take_close() {
  if
  :: d == DOWN && ME.renewing -> end_with(violation)
  :: else ->
     ME.peer_close = true;
#ifndef RENEWAL_SURVIVES_CLOSE
     ME.renewing = false;
#endif
     say_close_if_wanted();
     if
     :: ME.end == running && ME.close_said -> end_with(closed)
     :: else
     fi
  fi
}
inline take_req() {
  if
  :: d != DOWN || ME.renewing -> end_with(violation)
#ifndef ACK_AFTER_CLOSE
  :: d == DOWN && !ME.renewing && ME.close_said /* the two have crossed */
#endif
  :: else ->
     seal(ACK);
     next_sealing_epoch();
     ME.renewing = true
  fi
}
inline take_ack() {
  if
  :: d != UP || !ME.renewing -> end_with(violation)
  :: else ->
     ME.renewing = false;
     seal(DONE);
#ifdef DONE_NOT_LAST
     seal(MESSAGE);
#endif
     next_sealing_epoch();
     next_opening_epoch();
     say_close_if_wanted()
  fi
}
inline take_done() {
  if
  :: d != DOWN || !ME.renewing -> end_with(violation)
  :: else ->
     ME.renewing = false;
     next_opening_epoch();
     say_close_if_wanted()
  fi
}

inline take(what, name_of_it) {
  if
  :: ME.peer_close -> end_with(violation)
  :: else ->
     if
     :: what == MESSAGE ->
        ME.received++;
        assert(name_of_it == NAME(1 - d, ME.received)) /* the peer's next one, in order */
     :: what == CLOSE -> take_close()
     :: what == REQ -> take_req()
     :: what == ACK -> take_ack()
     :: what == DONE -> take_done()
     fi
  fi
}
inline receive(from, e, n) {
  if
  :: OPENS(from, e, n) ->
     ME.opening_counter++;
     take(RECORD(from, e, n).kind, RECORD(from, e, n).name)
  :: else -> end_with(not_authentic)
  fi
}

inline stream_ends() {
  if
  :: ME.peer_close -> end_with(closed)
#ifdef EOF_IS_CLOSE
  :: else -> end_with(closed)
#else
  :: else -> end_with(truncated)
#endif
  fi
}
inline nothing_comes() {
  if
#ifdef SILENCE_IS_CLOSE
  :: ME.close_said -> end_with(closed)
#endif
  :: else -> end_with(timed_out)
  fi
}

/* Any record of either end, if it was sent. */
inline something_arrives() {
  if
  :: from = UP
  :: from = DOWN
  fi;
  select(e : 0 .. side[from].epoch);
  select(n : 0 .. RECORDS - 1);
  if
  :: RECORD(from, e, n).kind != 0 -> receive(from, e, n)
  :: else
  fi
}

proctype Run(byte d) {
  byte from, e, n;
  do
  :: ME.end != running -> break
  /* What its owner may do at any time. */
  :: atomic { ME.end == running && !ME.close_wanted && ME.sent < MAX_MESSAGES -> seal(MESSAGE) }
  :: atomic { ME.end == running && !ME.close_wanted -> close() }
  /* The keys are worn. */
  :: atomic { d == UP && ME.end == running && renewals < MAX_RENEWALS && !ME.renewing &&
              !ME.close_wanted && !ME.peer_close ->
       renewals++;
       ME.renewing = true;
       seal(REQ) }
  /* The network's part. */
  :: atomic { ME.end == running && nempty(wire[1 - d]) ->
       wire[1 - d]?e,n;
       receive(1 - d, e, n);
       e = 0; n = 0 }
  :: atomic { ME.end == running && PEER.end != running && empty(wire[1 - d]) -> stream_ends() }
  /* The attacker's part. */
  :: atomic { ME.end == running && attacked -> something_arrives(); from = 0; e = 0; n = 0 }
  :: atomic { ME.end == running && attacked -> stream_ends() }
  :: atomic { ME.end == running && attacked -> nothing_comes() }
  od
}

#ifndef NOATTACKER
proctype Attacker() {
  byte e, n;
end_idle:
  atomic {
    attacked = true;
    do
    :: wire[UP]?e,n
    :: wire[DOWN]?e,n
    :: empty(wire[UP]) && empty(wire[DOWN]) -> break
    od;
    e = 0;
    n = 0
  }
}
#endif

init {
  atomic {
    side[UP].end = running;
    side[DOWN].end = running;
    run Run(UP);
    run Run(DOWN);
#ifndef NOATTACKER
    run Attacker()
#endif
  }
#ifdef REACH
end_reached:
  (side[UP].end == closed && side[DOWN].end == closed && side[UP].epoch == MAX_RENEWALS &&
   side[DOWN].opening_epoch == MAX_RENEWALS && side[UP].received == MAX_MESSAGES &&
   side[DOWN].received == MAX_MESSAGES);
  assert(false)
#endif
}
