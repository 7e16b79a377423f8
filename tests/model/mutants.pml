/* Every way in which the model can be broken on purpose. One is chosen with -DMUTANT=NAME.
 * check.py reads this list: name, number, which check must catch it, what is broken. */

/* The coordinator's core */
#define SEND_BEFORE_LOG 1         /* safety: commit is sent before its record is durable */
#define TELL_BEFORE_LOG 2         /* safety: the client hears "committed" before it is durable */
#define COMMIT_ON_ANY_YES 3       /* safety: one yes is taken for all of them */
#define UNCLEAR_IS_YES 4          /* safety: a prepare without an answer counts as a yes */
#define UNCLEAR_IS_DONE 5         /* safety: a commit without an answer counts as acknowledged */
#define DEADLINE_WHILE_DECIDING 6 /* safety: the vote deadline strikes after commit was queued */
#define FINISH_ON_FIRST_ACK 7     /* safety: finished as soon as one branch acknowledged */
#define FINISH_ROLLBACK_UNACKED 8 /* safety: a rollback is finished without acknowledgements */
#define SKIP_WHO_REFUSED 9        /* safety: the branch that refused is sent no rollback */
#define LOSE_READ_ONLY 10         /* safety: who voted read_only isn't kept with the decision */

/* What an inquiry hears */
#define ASK_WHILE_PREPARING 11    /* safety: "rollback" while votes are gathered */
#define LAZY_IS_UNKNOWN 12        /* safety: "rollback" for a live gid whose start isn't durable */
#define ASK_HEARS_QUEUED 13       /* safety: a decision that is queued, not durable */

/* The log */
#define FORGET_UNFINISHED 14      /* safety: the log forgets a decision that isn't finished */
#define REUSE_GID 15              /* safety: a gid that was lost with its start is minted again */
#define REFUSED_START_GOES_ON 16  /* safety: a transaction goes on whose start the log refused */
#define NO_BARRIER 17             /* safety: a start acts on what it reads before a durable commit */

/* The participant */
#define VOTE_BEFORE_WRITE 18      /* safety: yes leaves before the promise is durable */
#define GIVE_UP_ALONE 19          /* safety: a prepared branch rolls back by itself */
#define NO_TOMBSTONE 20           /* safety: rolling back an unknown branch leaves nothing behind */
#define PREPARE_ROLLED_BACK 21    /* safety: a branch that is rolled back can be prepared again */
#define ROLL_BACK_COMMITTED 22    /* safety: a committed branch obeys a rollback */
#define FORGET_READ_ONLY_VOTE 23  /* safety: a prepare after a read_only yes is answered anew */
#define FORGET_UNMARKED 24        /* safety: a forgotten branch can be prepared again */
#define FORGET_LIVE 25            /* safety: an ended branch of a live transaction is forgotten */
#define PARTICIPANT_NO_BARRIER 26 /* safety: as NO_BARRIER, at a participant */

/* Resolution */
#define NO_INQUIRY 27             /* stuck: nobody asks about what is in doubt */
#define NO_RESUME 28              /* stuck: a durable decision isn't delivered after a restart */
#define NO_DECISION_AT_RESUME 29  /* stuck: what a crash left undecided stays so */
#define NO_RETRY 30               /* stuck: a decision is sent once */
#define READ_ONLY_AWAITED 31      /* stuck: a read_only voter's acknowledgement is waited for */
#define UNKNOWN_IS_PENDING 32     /* endless: an unknown gid is answered "pending", not presumed */
#define REPEAT_UNANSWERED 33      /* endless: a repeated commit gets no acknowledgement */

#ifndef MUTANT
#define MUTANT 0
#endif
#define bug(name) (MUTANT == name)
