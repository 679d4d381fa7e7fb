/* The handshake of a stream, HELLO to READY, against an intruder who is the network.

   Two connections of an honest client and two of an honest server, in any interleaving. The
   intruder reads, keeps, replays and withholds all that is sent; opens each box of which he knows a
   secret key; makes each box of which he knows a secret key out of what he knows; is a server that
   the client may call, and a client that stands on the server's list. He knows every public key,
   even before its owner has made it.

   A box that would not open, or whose contents the receiver would refuse, is not delivered: it only
   ends that connection, and doing nothing does that as well.

   formal/README.md says what this shows; formal/check.py runs all variants. */

/* Key pairs. */
#define I 0 /* the intruder's, as whatever he needs */
#define C 1
#define S 2
#define EC(i) (3 + (i))
#ifdef SAME_ES
#define ES(j) 5
#else
#define ES(j) (5 + (j))
#endif

/* Random tags. */
#define TI 0
#define CTAG(i) (1 + (i))
#define STAG(j) (3 + (j))

/* Labels: what the first half of a nonce says. */
#define SH 1
#define SK 2
#define SV 3
#define SC 4
#define SW 5
#define SM_UP 6
#ifdef NODIRECTION
#define SM_DOWN SM_UP
#else
#define SM_DOWN 7
#endif

/* The place of each box that honest parties make. */
#define HELLO(i) (0 + (i))
#define VOUCH(i) (2 + (i))
#define V(i) (4 + (i))
#define CONFIRM(i) (6 + (i))
#define W(i) (8 + (i))
#define COOKIE(j) (10 + (j))
#define READY(j) (12 + (j))

typedef Box {
  bool held;  /* the intruder has it as it is */
  byte label; /* 0: not made yet */
  byte p, q;  /* under DH(p, q), which is DH(q, p) */
  byte key;   /* contents: a public key, */
  byte tag, tag2;
  int hash;
  byte inner /* another box; 0: none */
};
Box box[14];
bool known[5]; /* tags that the intruder has */

#ifdef SSLEAK
#define S_KNOWN 1
#else
#define S_KNOWN 0
#endif
#ifdef CSLEAK
#define C_KNOWN 1
#else
#define C_KNOWN 0
#endif
#define SECRET_KNOWN(k) ((k) == I || ((k) == S && S_KNOWN) || ((k) == C && C_KNOWN))
#define MAKES(k, l) (SECRET_KNOWN(k) || SECRET_KNOWN(l))

#define UNDER(m, k, l) \
  ((box[m].p == (k) && box[m].q == (l)) || (box[m].p == (l) && box[m].q == (k)))
#define IS(m, what, k, l) (box[m].label == (what) && UNDER(m, k, l))
#define HELD(m, what, k, l) (box[m].held && IS(m, what, k, l))

#ifdef NOSTAG
#define SAME_STAG(a, b) 1
#define IN_HASH(stag) 0
#else
#define SAME_STAG(a, b) ((a) == (b))
#define IN_HASH(stag) (stag)
#endif
/* A perfect hash: the contents, as digits. HELLO is EC and Ctag here. */
#ifdef NOHASH
#define H(s, c, ec, es, ctag, stag) 0
#else
#define H(s, c, ec, es, ctag, stag) \
  ((((((s) * 8 + (c)) * 8 + (ec)) * 8 + (es)) * 8 + (ctag)) * 8 + IN_HASH(stag))
#endif

/* The state of each connection, for the properties. */
byte peer[2];             /* whom the client called */
byte client_es[2], client_stag[2];
bool vouched[2];          /* the client has sent VOUCH and CONFIRM */
byte server_ec[2], server_ctag[2], server_c[2];
bool accepted[2];         /* the server takes the client for server_c */

inline fill(m, what, k, l, with_key, with_tag, with_tag2, with_hash, with_inner) {
  box[m].label = what;
  box[m].p = k;
  box[m].q = l;
  box[m].key = with_key;
  box[m].tag = with_tag;
  box[m].tag2 = with_tag2;
  box[m].hash = with_hash;
  box[m].inner = with_inner
}

/* The intruder takes a box apart as far as he can. */
inline learn(m) {
  if
  :: MAKES(box[m].p, box[m].q) -> known[box[m].tag] = true; known[box[m].tag2] = true
  :: else
  fi
}
inline publish(m) {
  box[m].held = true;
  learn(m);
  if
  :: MAKES(box[m].p, box[m].q) && box[m].inner != 0 ->
     box[box[m].inner].held = true;
     learn(box[m].inner)
  :: else
  fi
}

/* What he puts where a receiver cannot foresee the value. No honest party ever compares an EC with
   anything but an EC, nor an ES, a Ctag or a Stag with anything of another kind; so a value of
   another kind serves him no better than his own, and is not tried. */
inline any_of(value, his, first, first_known, second, second_known) {
  if
  :: value = his
  :: first_known -> value = first
  :: second_known -> value = second
  fi
}
#define any_ec(k) any_of(k, I, EC(0), true, EC(1), true)
#define any_es(k) any_of(k, I, ES(0), true, ES(1), true)
#define any_ctag(t) any_of(t, TI, CTAG(0), known[CTAG(0)], CTAG(1), known[CTAG(1)])
#define any_stag(t) any_of(t, TI, STAG(0), known[STAG(0)], STAG(1), known[STAG(1)])

/* What a client may believe once READY has come from S: a connection of S's has taken it for C and
   agrees about everything. Whoever has Ss is S, so then there is nothing to believe. */
#define SERVED(i, j)                                                                       \
  (accepted[j] && server_c[j] == C && server_ec[j] == EC(i) && client_es[i] == ES(j) &&    \
   SAME_STAG(client_stag[i], STAG(j)) && server_ctag[j] == CTAG(i))
#define SERVER_IS_WHO_IT_SAYS(i) (peer[i] != S || S_KNOWN || SERVED(i, 0) || SERVED(i, 1))

/* What a server may believe once it has accepted C. */
#define MEANT(i, j)                                                                        \
  (vouched[i] && peer[i] == S && server_ec[j] == EC(i) && client_es[i] == ES(j) &&         \
   SAME_STAG(client_stag[i], STAG(j)) && server_ctag[j] == CTAG(i))
#define CLIENT_IS_WHO_IT_SAYS(j) (server_c[j] != C || C_KNOWN || MEANT(0, j) || MEANT(1, j))
/* One connection of the client is one connection of the server. */
#define NOTHING_IS_ACCEPTED_TWICE \
  (!(accepted[0] && accepted[1] && server_c[0] == C && server_c[1] == C && \
     server_ec[0] == server_ec[1]) || C_KNOWN)

/* The two connections of one party differ in nothing but their numbers, so one order is enough. */
#define FIRST_COMES_FIRST(number, box_of_first) (number == 0 || box[box_of_first].label != 0)

proctype Client(byte i) {
  byte es, stag;
end_start:
  atomic {
    FIRST_COMES_FIRST(i, HELLO(0));
    if
    :: peer[i] = S
    :: peer[i] = I
    fi;
    fill(HELLO(i), SH, EC(i), peer[i], 0, CTAG(i), TI, 0, 0);
    publish(HELLO(i))
  }
end_cookie:
  atomic {
    if
    :: HELD(COOKIE(0), SK, EC(i), peer[i]) && box[COOKIE(0)].tag == CTAG(i) ->
       es = box[COOKIE(0)].key; stag = box[COOKIE(0)].tag2
    :: HELD(COOKIE(1), SK, EC(i), peer[i]) && box[COOKIE(1)].tag == CTAG(i) ->
       es = box[COOKIE(1)].key; stag = box[COOKIE(1)].tag2
    :: MAKES(EC(i), peer[i]) && known[CTAG(i)] ->
       any_es(es);
       any_stag(stag)
    fi;
    client_es[i] = es;
    client_stag[i] = stag;
    vouched[i] = true;
    fill(V(i), SC, C, peer[i], EC(i), stag, TI, 0, 0);
    fill(VOUCH(i), SV, EC(i), es, C, TI, TI, 0, V(i));
    publish(VOUCH(i));
    fill(W(i), SW, C, es, 0, TI, TI, H(peer[i], C, EC(i), es, CTAG(i), stag), 0);
    fill(CONFIRM(i), SM_UP, EC(i), es, 0, TI, TI, 0, W(i));
    publish(CONFIRM(i))
  }
end_ready:
  atomic {
    /* Frames have types, but the labels must do without: any record in its place is READY. */
    if
    :: HELD(READY(0), SM_DOWN, EC(i), es)
    :: HELD(READY(1), SM_DOWN, EC(i), es)
    :: HELD(CONFIRM(0), SM_DOWN, EC(i), es)
    :: HELD(CONFIRM(1), SM_DOWN, EC(i), es)
    :: MAKES(EC(i), es)
    fi;
    assert(SERVER_IS_WHO_IT_SAYS(i));
#ifdef REACH
    assert(!(SERVED(i, 0) || SERVED(i, 1)))
#endif
  }
}

inline accept(j) {
  accepted[j] = true;
  assert(CLIENT_IS_WHO_IT_SAYS(j));
  assert(NOTHING_IS_ACCEPTED_TWICE)
}

/* V as the server checks it, for the C that stood beside it. */
#define GOOD_V(m, c, j) \
  (IS(m, SC, c, S) && box[m].key == ec && SAME_STAG(box[m].tag, STAG(j)))
#define GOOD_W(m, j) \
  (IS(m, SW, server_c[j], ES(j)) && box[m].hash == H(S, server_c[j], ec, ES(j), ctag, STAG(j)))

proctype Server(byte j) {
  byte ec, ctag;
end_hello:
  atomic {
    FIRST_COMES_FIRST(j, COOKIE(0));
    if
    :: HELD(HELLO(0), SH, EC(0), S) -> ec = EC(0); ctag = CTAG(0)
    :: HELD(HELLO(1), SH, EC(1), S) -> ec = EC(1); ctag = CTAG(1)
    :: !S_KNOWN -> ec = I; any_ctag(ctag)
    :: S_KNOWN -> any_ec(ec); any_ctag(ctag)
    fi;
    server_ec[j] = ec;
    server_ctag[j] = ctag;
    fill(COOKIE(j), SK, ec, S, ES(j), ctag, STAG(j), 0, 0);
    publish(COOKIE(j))
  }
end_vouch:
  atomic {
    if
    :: HELD(VOUCH(0), SV, ec, ES(j)) && GOOD_V(V(0), box[VOUCH(0)].key, j) -> server_c[j] = C
    :: HELD(VOUCH(1), SV, ec, ES(j)) && GOOD_V(V(1), box[VOUCH(1)].key, j) -> server_c[j] = C
    :: MAKES(ec, ES(j)) && box[V(0)].held && GOOD_V(V(0), C, j) -> server_c[j] = C
    :: MAKES(ec, ES(j)) && box[V(1)].held && GOOD_V(V(1), C, j) -> server_c[j] = C
    :: MAKES(ec, ES(j)) && MAKES(C, S) && known[STAG(j)] -> server_c[j] = C
    :: MAKES(ec, ES(j)) && known[STAG(j)] -> server_c[j] = I
    fi;
#ifdef AFTER_V
    accept(j)
#endif
  }
end_confirm:
  atomic {
    if
    :: HELD(CONFIRM(0), SM_UP, ec, ES(j)) && GOOD_W(W(0), j)
    :: HELD(CONFIRM(1), SM_UP, ec, ES(j)) && GOOD_W(W(1), j)
    :: MAKES(ec, ES(j)) && box[W(0)].held && GOOD_W(W(0), j)
    :: MAKES(ec, ES(j)) && box[W(1)].held && GOOD_W(W(1), j)
    :: MAKES(ec, ES(j)) && MAKES(server_c[j], ES(j)) && known[ctag] && known[STAG(j)]
    fi;
#ifndef AFTER_V
    accept(j);
#endif
    fill(READY(j), SM_DOWN, ec, ES(j), 0, TI, TI, 0, 0);
    publish(READY(j))
  }
}

init {
  atomic {
    known[TI] = true;
    run Client(0);
    run Client(1);
    run Server(0);
    run Server(1)
  }
}
