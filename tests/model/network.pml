/* Bounded runs only: the faults that are counted, the moment when they end, and what must be so
 * once nothing more can happen. */
#ifndef UNLIMITED

#define lose(set, message) has(set, message) -> set = set & (255 - message)

proctype Network(byte p) {
  do
  :: atomic { may(losses) && (to_participant[p] != 0 || to_coordinator[p] != 0) ->
       spend(losses);
       if
       :: lose(to_participant[p], PREPARE)
       :: lose(to_participant[p], COMMIT)
       :: lose(to_participant[p], ROLLBACK)
       :: lose(to_participant[p], SAY_COMMIT)
       :: lose(to_participant[p], SAY_ROLLBACK)
       :: lose(to_coordinator[p], YES)
       :: lose(to_coordinator[p], YES_READ_ONLY)
       :: lose(to_coordinator[p], NO)
       :: lose(to_coordinator[p], DID_COMMIT)
       :: lose(to_coordinator[p], DID_ROLLBACK)
       :: lose(to_coordinator[p], ASK)
       fi }
  /* A participant is killed, and with it goes what it was about to answer. */
  :: d_step { may(falls) && to_coordinator[p] != 0 -> spend(falls); to_coordinator[p] = 0 }
  od
}

active proctype Quiet() {
  d_step { is_quiet = true; crashes = 0; falls = 0; losses = 0; repeats = 0 }
}

active proctype Watch() {
  byte p = 0;
  atomic {
    timeout ->
    do
    :: p < N ->
       claim(settled, branch[p] != PREPARED && phase == GONE &&
                      (disk.at == EMPTY || disk.at == FORGOTTEN));
       p++
    :: else -> break
    od
  }
}
#endif
