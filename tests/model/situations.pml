/* What must be reachable: a model that can't get there would keep its claims by doing nothing.
 * One is chosen with -DSITUATION=NAME; check.py reads this list as it reads mutants.pml. */
#define COMMITTED_BY_ALL 1    /* every branch committed, the log forgot it */
#define ROLLED_BACK_BY_ALL 2  /* every branch rolled back, the client told, the log forgot it */
#define LOST_START_PRESUMED 3 /* the start is lost, prepared branches are rolled back by presumption */
#define LATE_PREPARE 4        /* the start is lost, one branch is over, the other only now prepared */
#define ONE_READ_ONLY 5       /* finished: one branch committed, the other voted read_only */
#define ALL_READ_ONLY 6       /* finished as committed, nobody had to be told */
#define EARLY_ROLLBACK 7      /* a branch rolled back before that decision is durable */
#define HALF_COMMITTED 8      /* the coordinator is down, the client told, one branch committed */
#define GHOST_READ 9          /* a start finds a decision that isn't on the disk */
#define ECHO_READ 10          /* a start doesn't find a decision that is on the disk */
#define TOO_LATE 11           /* a branch is forgotten, a copy of its prepare still under way */
#define ASKED_TOO_LATE 12     /* "rollback" by presumption is under way to a committed branch */

#ifdef SITUATION
hidden byte unreachable;
#define at(name) SITUATION == name

active proctype Observer() {
  atomic {
    if
    :: at(COMMITTED_BY_ALL) && disk.at == FORGOTTEN && ever_committed == ALL
    :: at(ROLLED_BACK_BY_ALL) && disk.at == FORGOTTEN && ever_rolled_back == ALL && told == rollback
    :: at(LOST_START_PRESUMED) && phase == GONE && disk.at == EMPTY && told == undecided &&
       ever_rolled_back == ALL
    :: at(LATE_PREPARE) && phase == GONE && disk.at == EMPTY && ever_rolled_back == BIT(0) &&
       branch[1] == PREPARED
    :: at(ONE_READ_ONLY) && disk.at == FINISHED && ever_committed == BIT(0) &&
       branch[1] == READ_ONLY
    :: at(ALL_READ_ONLY) && disk.at == FINISHED && disk.decision == commit && ever_committed == 0
    :: at(EARLY_ROLLBACK) && phase == DECIDING && disk.at != DECIDED && ever_rolled_back != 0
    :: at(HALF_COMMITTED) && phase == DOWN && told == commit && ever_committed == BIT(0)
    :: at(GHOST_READ) && phase == DOWN && view.at == DECIDED && disk.at == STARTED
    :: at(ECHO_READ) && phase == DOWN && view.at == STARTED && disk.at == DECIDED
    :: at(TOO_LATE) && branch[0] == UNKNOWN && has_mark[0] && ever_committed == ALL &&
       has(to_participant[0], PREPARE)
    :: at(ASKED_TOO_LATE) && branch[0] == COMMITTED && has(to_participant[0], SAY_ROLLBACK)
    fi;
    claim(unreachable, false)
  }
}
#endif
