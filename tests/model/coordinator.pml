/* The coordinator: coordinator/protocol/protocol.cpp, and Service::inquire(). */

#define is_voted(p) has(yes | reads, BIT(p))
#define is_undelivered(p) (!has(done | reads, BIT(p)))
#define is_delivered ((done | (bug(READ_ONLY_AWAITED) -> 0 : reads)) == ALL)
#define is_undecided (phase == PREPARING || phase == DECIDING)

inline lose_memory() { decision = undecided; yes = 0; reads = 0; done = 0 }

inline decide(which) { decision = which; phase = DECIDING; yes = 0 }

/* The last yes decides, at once. */
inline count_votes() {
  if
  :: (yes | reads) == ALL -> decide(commit)
  :: bug(COMMIT_ON_ANY_YES) && (yes | reads) != ALL -> decide(commit)
  :: else
  fi
}

/* ----------------------------------------------------------------------------------- the log */
inline copy_log(to, from) {
  to.at = from.at; to.decision = from.decision; to.reads = from.reads; to.done = from.done
}

inline record_start(log) { log.at = STARTED }

inline record_decision(log) {
  log.at = DECIDED;
  log.decision = decision;
  log.reads = (bug(LOSE_READ_ONLY) -> 0 : reads)
}

inline record_end(log, p) { put(log.done, BIT(p)) }

inline record_finish(log) { log.at = FINISHED; log.reads = 0; log.done = 0 }

inline forget_log() { disk.at = FORGOTTEN; view.at = FORGOTTEN }

inline go_down() { phase = DOWN; lose_memory() }

inline be_gone() { phase = GONE; lose_memory() }

/* A commit becomes durable only on promises that are. */
inline check_decision() {
  d_step {
    claim(decided_once, disk.decision == undecided || disk.decision == decision);
    each = 0;
    do
    :: each < N ->
       claim(all_promised, decision == rollback || branch_on_disk[each] == PREPARED ||
                           branch_on_disk[each] == READ_ONLY && has(reads, BIT(each)));
       each++
    :: else -> break
    od
  }
}

/* With Finished, nothing of the transaction is held anywhere. note_change() has the other half:
 * and nothing will be. */
inline check_finish() {
  each = 0;
  do
  :: each < N ->
     claim(finished_is_over, branch_on_disk[each] == COMMITTED ||
                             branch_on_disk[each] == ROLLED_BACK ||
                             branch_on_disk[each] == READ_ONLY);
     each++
  :: else -> break
  od
}

/* --------------------------------------------------- decisions, the log, crashes and restarts */
active proctype Coordinator() {
  do
  /* The start is queued, and not waited for. */
  :: d_step { phase == UNBORN -> phase = PREPARING }
  /* The vote deadline, or a person. */
  :: d_step { phase == PREPARING && !(bug(NO_DECISION_AT_RESUME) && yes == ALL) ->
       decide(rollback) }

  /* --- what is queued becomes durable, in the order of the queue */
  :: d_step { is_undecided && view.at == EMPTY -> record_start(disk); record_start(view) }
  :: atomic { phase == DECIDING && view.at == STARTED ->
       check_decision();
       record_decision(disk); record_decision(view); phase = DELIVERING; check() }
  :: d_step { phase == DELIVERING && view.at == DECIDED && is_delivered && view.done == done ->
       check_finish(); record_finish(disk); record_finish(view); be_gone() }
  :: d_step { bug(FINISH_ON_FIRST_ACK) && phase == DELIVERING && done != 0 ->
       check_finish(); record_finish(disk); record_finish(view); be_gone() }
  :: d_step { bug(FINISH_ROLLBACK_UNACKED) && phase == DELIVERING && decision == rollback ->
       record_finish(disk); record_finish(view); be_gone() }
  /* No room for the start, so none for what is queued behind it: the client hears that nothing was
     started. */
  :: d_step { is_undecided && view.at == EMPTY && told == undecided ->
       told = rollback;
       if
       :: bug(REFUSED_START_GOES_ON)
       :: else -> be_gone()
       fi }
  /* Retention is over. */
  :: d_step { phase == GONE && view.at == FINISHED -> forget_log() }
  :: d_step { bug(FORGET_UNFINISHED) && phase == DELIVERING -> forget_log(); be_gone() }
  :: d_step { bug(REUSE_GID) && phase == GONE && view.at == EMPTY -> phase = PREPARING }

  /* --- the client */
  :: d_step { told == undecided &&
              (phase == DELIVERING || phase == GONE && view.at == FINISHED) ->
       told = view.decision; check() }
  :: d_step { bug(TELL_BEFORE_LOG) && phase == DECIDING && decision == commit ->
       told = commit; check() }

  /* --- the end of the process: killed, a failed sync, a power cut that takes the page cache */
  :: d_step { phase != UNBORN && phase != DOWN && may(crashes) -> spend(crashes); go_down() }
  :: atomic { is_undecided && view.at == EMPTY && may(crashes) ->
       spend(crashes);
       if
       :: GHOST -> record_start(view)
       :: ECHO -> record_start(disk)
       fi;
       go_down() }
  :: atomic { phase == DECIDING && view.at == STARTED && may(crashes) ->
       spend(crashes);
       if
       :: GHOST -> record_decision(view)
       :: ECHO -> record_decision(disk)
       fi;
       go_down() }
  :: d_step { view.at != disk.at -> copy_log(view, disk); go_down() }

  /* --- a start: the barrier, the fold, and what the crash interrupted */
  :: d_step { phase == DOWN ->
       if
       :: bug(NO_BARRIER)
       :: else -> copy_log(disk, view)
       fi;
       if
       :: view.at == STARTED && !bug(NO_DECISION_AT_RESUME) -> decide(rollback)
       :: bug(NO_DECISION_AT_RESUME) && view.at == STARTED -> phase = PREPARING; yes = ALL
       :: view.at == DECIDED && !bug(NO_RESUME) ->
          decision = view.decision; reads = view.reads; done = view.done; phase = DELIVERING
       :: else -> phase = GONE
       fi }
  od
}

/* ------------------------------------------------------- all that passes with one participant */
inline answer(p, verdict) {
  if
  :: verdict == commit -> put(to_participant[p], SAY_COMMIT)
  :: else -> put(to_participant[p], SAY_ROLLBACK)
  fi
}

proctype Lane(byte p) {
  do
  /* --- phase one */
  :: d_step { phase == PREPARING && !is_voted(p) && !has(to_participant[p], PREPARE) &&
              !is_answer_due(p, YES | YES_READ_ONLY | NO) ->
       put(to_participant[p], PREPARE) }
  :: atomic { phase != DOWN && has(to_coordinator[p], YES) ->
       take(to_coordinator[p], YES);
       if
       :: phase == PREPARING && !is_voted(p) -> put(yes, BIT(p)); count_votes()
       :: else
       fi }
  :: atomic { phase != DOWN && has(to_coordinator[p], YES_READ_ONLY) ->
       take(to_coordinator[p], YES_READ_ONLY);
       if
       :: phase == PREPARING && !is_voted(p) -> put(reads, BIT(p)); count_votes()
       :: else
       fi }
  :: atomic { phase != DOWN && has(to_coordinator[p], NO) ->
       take(to_coordinator[p], NO);
       if
       :: phase == PREPARING && !is_voted(p) ->
          decide(rollback); done = (bug(SKIP_WHO_REFUSED) -> BIT(p) : 0)
       :: else
       fi }
  :: d_step { bug(UNCLEAR_IS_YES) && phase == PREPARING && !is_voted(p) &&
              has(to_participant[p], PREPARE) ->
       put(yes, BIT(p)); count_votes() }

  /* --- phase two: commit once it is durable, rollback at once, as it is presumed anyway */
  :: d_step { phase == DELIVERING && decision == commit && is_undelivered(p) &&
              !has(to_participant[p], COMMIT) && !is_answer_due(p, DID_COMMIT) &&
              !(bug(NO_RETRY) && has(yes, BIT(p))) ->
       put(to_participant[p], COMMIT); put(yes, (bug(NO_RETRY) -> BIT(p) : 0)) }
  :: d_step { bug(SEND_BEFORE_LOG) && phase == DECIDING && decision == commit ->
       put(to_participant[p], COMMIT) }
  :: d_step { (phase == DECIDING || phase == DELIVERING) && decision == rollback &&
              is_undelivered(p) && !has(to_participant[p], ROLLBACK) &&
              !is_answer_due(p, DID_ROLLBACK) ->
       put(to_participant[p], ROLLBACK) }
  :: d_step { bug(DEADLINE_WHILE_DECIDING) && phase == DECIDING && decision == commit ->
       put(to_participant[p], ROLLBACK) }
  :: atomic { phase != DOWN && has(to_coordinator[p], DID_COMMIT) ->
       take(to_coordinator[p], DID_COMMIT);
       if
       :: phase == DELIVERING && decision == commit && is_undelivered(p) -> put(done, BIT(p))
       :: else
       fi }
  :: atomic { phase != DOWN && has(to_coordinator[p], DID_ROLLBACK) ->
       take(to_coordinator[p], DID_ROLLBACK);
       if
       :: (phase == DECIDING || phase == DELIVERING) && decision == rollback &&
          is_undelivered(p) -> put(done, BIT(p))
       :: else
       fi }
  :: d_step { bug(UNCLEAR_IS_DONE) && phase == DELIVERING && is_undelivered(p) &&
              has(to_participant[p], COMMIT) ->
       put(done, BIT(p)) }
  :: d_step { phase == DELIVERING && view.at == DECIDED && has(done & (ALL - view.done), BIT(p)) ->
       record_end(disk, p); record_end(view, p) }

  /* --- an inquiry hears what is durable, "pending" about what lives, "rollback" about what nobody
     knows */
  :: atomic { phase != DOWN && has(to_coordinator[p], ASK) ->
       take(to_coordinator[p], ASK);
       if
       :: phase == DELIVERING || phase == GONE && (view.at == DECIDED || view.at == FINISHED) ->
          answer(p, view.decision)
       :: phase == GONE && (view.at == EMPTY || view.at == FORGOTTEN) &&
          !bug(UNKNOWN_IS_PENDING) -> answer(p, rollback)
       :: bug(ASK_WHILE_PREPARING) && phase == PREPARING && view.at == STARTED ->
          answer(p, rollback)
       :: bug(LAZY_IS_UNKNOWN) && is_undecided && view.at == EMPTY -> answer(p, rollback)
       :: bug(ASK_HEARS_QUEUED) && phase == DECIDING -> answer(p, decision)
       :: else
       fi }
  od
}
