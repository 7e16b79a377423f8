/* One global transaction of our protocol: a coordinator, N participants, and everything that may
 * go wrong between and inside them. `check.py` runs it; README.md says what it covers.
 *
 * A step is one durable write, one message leaving or one message arriving, so a crash falls
 * between any two of them. A crash keeps only what is on disk. Messages survive it.
 *
 * UNLIMITED (safety): nothing is counted. A message once sent stays deliverable for ever, any
 * number of times, in any order, or never: that is loss, delay, repetition and reordering at once.
 * Otherwise (resolution): every fault has a budget, and messages are taken when delivered.
 */
#ifndef N
#define N 2
#endif
#include "mutants.pml"

/* ---------------------------------------------------------------------------------- faults */
/* A sync that fails ends the process and leaves page cache and disk apart, in either direction. */
#ifndef GHOST
#define GHOST 1 /* the cache shows the record, the disk lacks it */
#endif
#ifndef ECHO
#define ECHO 1 /* the disk has the record, the cache shows what was before */
#endif

#ifdef UNLIMITED
#define may(fault) true
#define spend(fault) skip
#define is_bounded false
#else
#ifndef CRASHES
#define CRASHES 1 /* of the coordinator: killed, or a failed sync */
#endif
#ifndef FALLS
#define FALLS 1 /* the same of participants, all together */
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef REPEATS
#define REPEATS 1
#endif
#define may(fault) (!is_quiet && fault > 0)
#define spend(fault) fault--
#define is_bounded true
byte crashes = CRASHES, falls = FALLS, losses = LOSSES, repeats = REPEATS;
bool is_quiet; /* faults are over */
#endif

/* ------------------------------------------------------------------------------- the network */
/* Two sets for each participant: what is under way to it, and from it. SAY_ messages answer an
 * inquiry, or the coordinator's sweep of what is in doubt; nobody acknowledges them. */
#define PREPARE 1
#define COMMIT 2
#define ROLLBACK 4
#define SAY_COMMIT 8
#define SAY_ROLLBACK 16
byte to_participant[N];

#define YES 1
#define YES_READ_ONLY 2
#define NO 4
#define DID_COMMIT 8
#define DID_ROLLBACK 16
#define ASK 32
byte to_coordinator[N];

#define BIT(p) (1 << (p))
#define ALL ((1 << N) - 1)
#define put(set, message) set = set | (message)
#define has(set, message) (((set) & (message)) != 0)

#ifdef UNLIMITED
#define take(set, message) skip
#define is_answer_due(p, answers) false
#else
inline take(set, message) {
  if
  :: set = set & (255 - message)
  :: may(repeats) -> spend(repeats)
  fi
}
/* Whoever asks again waits longer than an answer takes. */
#define is_answer_due(p, answers) has(to_coordinator[p], answers)
#endif

/* --------------------------------------------------------------------------------- the state */
mtype = { undecided, commit, rollback };

/* The coordinator's log: its records, folded. FORGOTTEN is EMPTY to who reads it; only the claims
 * still know what was decided. */
mtype = { EMPTY, STARTED, DECIDED, FINISHED, FORGOTTEN };
typedef Log {
  mtype at = EMPTY;
  mtype decision = undecided;
  byte reads; /* who voted read_only, as the decision's record says */
  byte done;  /* whose end is recorded */
};
Log disk; /* what survives a power cut */
Log view; /* what the process reads; not the disk after a failed sync */

/* The coordinator's memory. GONE: not live, as it is over or was lost. */
mtype = { UNBORN, PREPARING, DECIDING, DELIVERING, GONE, DOWN };
mtype phase = UNBORN;
mtype decision = undecided; /* queued for the log, or durable */
byte yes, reads;            /* votes so far, a bit for each participant */
byte done;                  /* whose acknowledgement came */

/* A participant's store. All that it remembers is durable: it has no memory to lose. */
mtype = { UNKNOWN, PREPARED, READ_ONLY, COMMITTED, ROLLED_BACK };
mtype branch[N] = UNKNOWN;         /* as its process reads it */
mtype branch_on_disk[N] = UNKNOWN; /* as it survives a power cut */
bool has_mark[N];                  /* it has forgotten gids up to this one or beyond */
bool is_unwritten[N];              /* mutants only: voted, and not yet written */

/* What only the claims look at. */
mtype told = undecided;                /* the client */
byte ever_committed, ever_rolled_back; /* who ever was so, durably */

/* -------------------------------------------------------------------------------- the claims */
hidden byte one_outcome, told_the_truth, decided_once, all_promised, no_contradiction,
    finished_is_over, settled;
#define claim(name, condition) name = (condition); assert(name)

hidden byte each;

/* Holds always; looked at after each change of what it is about. */
inline check() {
  d_step {
    claim(one_outcome, !(ever_committed && ever_rolled_back));
    claim(told_the_truth, !(told == commit && (ever_rolled_back || disk.decision != commit)) &&
                          !(told == rollback && (ever_committed || disk.decision == commit)))
  }
}

#include "coordinator.pml"
#include "participant.pml"
#include "network.pml"
#include "situations.pml"

init {
  atomic {
    byte p = 0;
    do
    :: p < N -> run Lane(p); run Participant(p);
#ifndef UNLIMITED
       run Network(p);
#endif
       p++
    :: else -> break
    od
  }
}
