"""Why a training or a run is as it is: the words in `reason` of its view, of its audit, and of the conditions.

Readers meet other words, too: an older Studio's, a newer one's, and those of the API server about a Service.
"""

from enum import StrEnum


class Reason(StrEnum):
    """One word each; the message beside it says the rest."""

    # Its way through the queue
    REQUESTED = "Requested"  # it waits for its turn
    CLAIMED = "Claimed"  # a consumer has taken it
    ADOPTED = "Adopted"  # another consumer goes on with it
    RELEASED = "Released"  # its consumer has ended in good order; another one will adopt it
    REPRIORITISED = "Reprioritised"  # its priority changed while it waited

    # What goes on
    STARTING = "Starting"  # its Job is created
    SUSPENDED = "Suspended"  # Kueue has not admitted its Job yet, or has taken the admission back
    PULLING = "Pulling"  # images are pulled, containers are started
    FETCHING = "Fetching"  # content, or the model, is downloaded and verified
    TRAINING = "Training"  # the engine trains
    UPLOADING = "Uploading"  # model and log are stored
    LOADING = "Loading"  # the engine loads the model
    READY = "Ready"  # the engine answers with the intended model
    WARM = "Warm"  # the engine is there, and waits for a model that is still being trained
    ASSIGNED = "Assigned"  # the model is there: it goes into the warm engine
    NOT_ANSWERING = "NotAnswering"  # it was ready, and does not answer for the moment
    TERMINATING = "Terminating"  # its pod is being deleted

    # What keeps a pod from starting
    UNSCHEDULABLE = "Unschedulable"  # no node takes it
    QUOTA_EXCEEDED = "QuotaExceeded"  # a ResourceQuota of the namespace is used up
    POD_REFUSED = "PodRefused"  # Pod Security or an admission webhook forbids it
    IMAGE_PULL_FAILED = "ImagePullFailed"  # an image cannot be pulled
    INVALID_IMAGE_NAME = "InvalidImageName"  # what is given as an image cannot be the name of one
    CONTAINER_CONFIG_ERROR = "ContainerConfigError"  # a Secret, a key or a file that it names is missing

    # How an attempt was lost; another one follows
    JOB_DELETED = "JobDeleted"  # somebody deleted its Job
    POD_DELETED = "PodDeleted"  # somebody deleted its pod
    POD_LOST = "PodLost"  # its pod is gone, and nothing says why
    DISRUPTED = "Disrupted"  # the cluster ended its pod: eviction, preemption, a node that went away
    FETCH_FAILED = "FetchFailed"  # the content could not be brought
    UPLOAD_FAILED = "UploadFailed"  # the model could not be stored
    RESULT_MISSING = "ResultMissing"  # the Job ended well, yet made no model
    START_TIMEOUT = "StartTimeout"  # the engine of a run was not ready in time
    ENGINE_ENDED = "EngineEnded"  # the engine of a run ended by itself
    HELPER_FAILED = "HelperFailed"  # the helper beside the engine does not start
    MODEL_NOT_TAKEN = "ModelNotTaken"  # a warm engine did not load the model that was put into it

    # How it ended
    TRAINED = "Trained"  # there is a model
    CACHE_HIT = "CacheHit"  # the same content, configuration and engine image were trained before
    STOPPED = "Stopped"  # it was asked to end
    REPLACED = "Replaced"  # another run serves instead
    HALTED = "Halted"  # nothing shall run
    GIVEN_UP = "GivenUp"  # a warm engine that is not needed any more, or whose slot another run needs
    REMOVED = "Removed"  # its assistant is removed
    CANCELLED = "Cancelled"  # somebody cancelled it
    SUPERSEDED = "Superseded"  # newer content is trained instead
    INVALID_CONTENT = "InvalidContent"  # the engine refuses the content; the message is its own
    INVALID_SPEC = "InvalidSpec"  # Kubernetes refuses the Job
    CONFLICT = "Conflict"  # an object of the name that it needs belongs to somebody else
    OUT_OF_MEMORY = "OutOfMemory"  # the engine needs more memory than its limit allows
    DEADLINE_EXCEEDED = "DeadlineExceeded"  # the engine trained for longer than it may
    STALLED = "Stalled"  # the engine trained, yet wrote nothing for too long; a second time is final
    ENGINE_NOT_RUNNABLE = "EngineNotRunnable"  # the engine image has no engine that can be started
    MODEL_REFUSED = "ModelRefused"  # the stored model is not what was trained
    CRASH_LOOP = "CrashLoop"  # the engine ended again and again
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted"  # its helpers failed in every attempt
    TOO_MANY_LOSSES = "TooManyLosses"  # the cluster ended every attempt


# A run with one of these has been ready, yet sends no answers now.
SILENT = frozenset({Reason.NOT_ANSWERING, Reason.TERMINATING})
