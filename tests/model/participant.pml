/* A participant: participants/branches.cpp, branches_upkeep.cpp and inquirer.cpp. */

inline note_change(p) {
  if
  :: branch_on_disk[p] == COMMITTED -> put(ever_committed, BIT(p))
  :: branch_on_disk[p] == ROLLED_BACK -> put(ever_rolled_back, BIT(p))
  :: branch_on_disk[p] == PREPARED ->
     claim(finished_is_over, disk.at != FINISHED && disk.at != FORGOTTEN)
  :: else
  fi;
  check()
}

/* A start commits what it reads before it acts on it. */
inline start_again(p) {
  if
  :: bug(PARTICIPANT_NO_BARRIER)
  :: else -> branch_on_disk[p] = branch[p]
  fi
}

/* A request is one batch: written and answered, or the sync fails and the process starts anew.
 * A crash between the write and the answer is an answer that gets lost. */
inline write(p, state, reply) {
  if
  :: branch_on_disk[p] = state; branch[p] = state; put(to_coordinator[p], reply)
  :: GHOST && may(falls) -> spend(falls); branch[p] = state; start_again(p)
  :: ECHO && may(falls) -> spend(falls); branch_on_disk[p] = state; start_again(p)
  fi;
  note_change(p)
}

inline forget(p) { branch[p] = UNKNOWN; branch_on_disk[p] = UNKNOWN }

/* --------------------------------------------------------------------------- what it is told */
inline prepare(p) {
  if
  :: branch[p] == UNKNOWN && !has_mark[p] ->
     if
     :: !bug(VOTE_BEFORE_WRITE) -> write(p, PREPARED, YES)
     :: bug(VOTE_BEFORE_WRITE) -> put(to_coordinator[p], YES); is_unwritten[p] = true
     :: !bug(FORGET_READ_ONLY_VOTE) -> write(p, READ_ONLY, YES_READ_ONLY)
     :: bug(FORGET_READ_ONLY_VOTE) -> put(to_coordinator[p], YES_READ_ONLY)
     :: put(to_coordinator[p], NO) /* binds nobody, so it isn't written */
     fi
  :: branch[p] == UNKNOWN && has_mark[p] -> put(to_coordinator[p], NO) /* too late */
  :: branch[p] == PREPARED || branch[p] == COMMITTED -> put(to_coordinator[p], YES)
  :: branch[p] == READ_ONLY -> put(to_coordinator[p], YES_READ_ONLY)
  :: branch[p] == ROLLED_BACK -> put(to_coordinator[p], NO)
  :: bug(PREPARE_ROLLED_BACK) && branch[p] == ROLLED_BACK -> write(p, PREPARED, YES)
  fi
}

inline obey_commit(p, reply) {
  if
  :: branch[p] == PREPARED -> write(p, COMMITTED, reply)
  :: branch[p] == COMMITTED && !bug(REPEAT_UNANSWERED) -> put(to_coordinator[p], reply)
  :: bug(REPEAT_UNANSWERED) && branch[p] == COMMITTED
  /* A late copy may find the branch forgotten; while the transaction lives, none does. */
  :: else -> claim(no_contradiction, branch[p] == UNKNOWN && has_mark[p] &&
                                     (disk.at == FINISHED || disk.at == FORGOTTEN))
  fi
}

inline obey_rollback(p, reply) {
  if
  :: branch[p] == PREPARED || branch[p] == READ_ONLY -> write(p, ROLLED_BACK, reply)
  :: branch[p] == UNKNOWN && !has_mark[p] && !bug(NO_TOMBSTONE) -> write(p, ROLLED_BACK, reply)
  :: bug(NO_TOMBSTONE) && branch[p] == UNKNOWN && !has_mark[p] -> put(to_coordinator[p], reply)
  :: branch[p] == UNKNOWN && has_mark[p] -> put(to_coordinator[p], reply)
  :: branch[p] == ROLLED_BACK -> put(to_coordinator[p], reply)
  :: bug(ROLL_BACK_COMMITTED) && branch[p] == COMMITTED -> write(p, ROLLED_BACK, reply)
  /* Refused. Nothing asks this of a committed branch but the answer to a late copy of an inquiry,
     when the coordinator has forgotten what it decided. */
  :: else -> claim(no_contradiction, reply == 0 && disk.at == FORGOTTEN)
  fi
}

/* Bounded runs: no inquiry while it would only hear "pending", or it would be sent for ever. */
#define may_ask(p) (!is_bounded || !is_undecided && \
                    !has(to_participant[p], COMMIT | ROLLBACK | SAY_COMMIT | SAY_ROLLBACK))

proctype Participant(byte p) {
  do
  :: atomic { has(to_participant[p], PREPARE) -> take(to_participant[p], PREPARE); prepare(p) }
  :: atomic { has(to_participant[p], COMMIT) ->
       take(to_participant[p], COMMIT); obey_commit(p, DID_COMMIT) }
  :: atomic { has(to_participant[p], SAY_COMMIT) ->
       take(to_participant[p], SAY_COMMIT); obey_commit(p, 0) }
  :: atomic { has(to_participant[p], ROLLBACK) ->
       take(to_participant[p], ROLLBACK); obey_rollback(p, DID_ROLLBACK) }
  :: atomic { has(to_participant[p], SAY_ROLLBACK) ->
       take(to_participant[p], SAY_ROLLBACK); obey_rollback(p, 0) }

  /* In doubt: it asks, and never gives up by itself. */
  :: d_step { branch[p] == PREPARED && !has(to_coordinator[p], ASK) && may_ask(p) &&
              !bug(NO_INQUIRY) ->
       put(to_coordinator[p], ASK) }
  :: atomic { bug(GIVE_UP_ALONE) && branch[p] == PREPARED -> write(p, ROLLED_BACK, 0) }

  /* Forgetting. The low-water mark passes a gid only when it isn't live, and then it never will be
     again: how late the message arrives that carries the mark makes no difference. */
  :: d_step { phase == GONE && !has_mark[p] -> has_mark[p] = true } /* a later gid was forgotten */
  :: d_step { phase == GONE && branch[p] != UNKNOWN && branch[p] != PREPARED ->
       forget(p); has_mark[p] = (bug(FORGET_UNMARKED) -> has_mark[p] : true) }
  :: d_step { bug(FORGET_LIVE) && phase == DELIVERING && branch[p] == COMMITTED ->
       forget(p); has_mark[p] = true }

  /* The power fails, and takes the page cache; or the process is killed between vote and write. */
  :: d_step { branch[p] != branch_on_disk[p] -> branch[p] = branch_on_disk[p] }
  :: d_step { bug(VOTE_BEFORE_WRITE) && is_unwritten[p] -> is_unwritten[p] = false }
  :: d_step { bug(VOTE_BEFORE_WRITE) && is_unwritten[p] && branch[p] == UNKNOWN ->
       is_unwritten[p] = false; branch[p] = PREPARED; branch_on_disk[p] = PREPARED }
  od
}
