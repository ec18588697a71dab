"""The exceptions of the framework, each with its HTTP status and problem type.

    SecureOpenAIError
    ├── ConfigurationError              the process does not start
    │   ├── SettingsError
    │   ├── PolicyError
    │   ├── AppearanceError
    │   ├── StartError                  a taken port, a missing model, an unwritable folder
    │   ├── DeliveryError               what cannot be packaged, copied or deployed
    │   └── ProofError                  what cannot be read as an estate
    │       └── AssumptionError         a file of assumptions or of accepted findings
    ├── RequestError                    400  what was sent is wrong
    │   ├── NotFound                    404
    │   ├── MethodNotAllowed            405
    │   ├── RequestTimeout              408
    │   ├── Conflict                    409  it cannot be done as things stand
    │   ├── LegalHold                   409  it is kept, whoever wants it gone
    │   ├── LimitReached                409  one keeps as much as one may
    │   ├── PreconditionFailed          412
    │   ├── TooLarge                    413
    │   ├── UnsupportedMediaType        415
    │   └── TooManyRequests             429  of one principal: wait for their turn
    ├── IdentityError
    │   ├── Unauthenticated             401
    │   ├── SignInFailed                400
    │   ├── IdentityProviderUnavailable 503
    │   ├── Forbidden                   403
    │   └── NoticeNotAccepted           403  a person who has to read something first
    ├── CredentialUnavailable           503  we cannot prove ourselves to Azure
    ├── Refused                         403, 413 or 429 by its decision
    ├── ModelError                      502
    │   ├── ContentFiltered             400
    │   ├── DeploymentMissing           404  it was deployed once, or never
    │   │   └── DeploymentRetired       410  Azure retired its model
    │   ├── DeploymentTooSmall          413  for this request, however long one waits
    │   ├── ModelForbidden              502  our own credential is refused
    │   ├── ModelThrottled              429
    │   ├── ModelRejected               400  the model refuses the request itself
    │   │   └── WindowExceeded          400
    │   ├── ModelTimeout                504
    │   ├── AnswerCutOff                503  this process ends before the answer does
    │   └── ModelUnavailable            503
    │       └── CredentialMissing       503  there is no token to send
    ├── GatewayError                    502  as the terminal's client meets it
    ├── ManagementError                 502  Azure Resource Manager did not do it
    │   ├── RoleMissing                 502  our identity lacks a role there
    │   ├── DeploymentRejected          400  not offered, retired, or not as asked
    │   ├── NotManaged                  409  deployments do not change here
    │   ├── QuotaInsufficient           409
    │   ├── ManagementConflict          409
    │   ├── ManagementThrottled         429
    │   └── ManagementUnavailable       503
    ├── Overloaded                      503  too much at once: another time, or another process
    ├── Stopping                        503  this process ends: another one may answer
    └── StoreError                      503
        ├── AlreadyStored
        ├── AuditUnavailable
        ├── OutcomeUnknown
        └── StorageFull                 507

Every foreign exception is translated into this tree by the adapter that meets it. `detail` is
written for the person who asked: it never carries a secret, a prompt, an answer or our insides.
"""

from secure_openai.errors.capacity import Overloaded, Stopping
from secure_openai.errors.configuration import (
    AppearanceError,
    AssumptionError,
    ConfigurationError,
    DeliveryError,
    PolicyError,
    ProofError,
    SettingsError,
    StartError,
)
from secure_openai.errors.identity import (
    CredentialUnavailable,
    Forbidden,
    IdentityError,
    IdentityProviderUnavailable,
    NoticeNotAccepted,
    SignInFailed,
    Unauthenticated,
)
from secure_openai.errors.management import (
    DeploymentRejected,
    ManagementConflict,
    ManagementError,
    ManagementThrottled,
    ManagementUnavailable,
    NotManaged,
    QuotaInsufficient,
    RoleMissing,
)
from secure_openai.errors.model import (
    AnswerCutOff,
    ContentFiltered,
    CredentialMissing,
    DeploymentMissing,
    DeploymentRetired,
    DeploymentTooSmall,
    GatewayError,
    ModelError,
    ModelForbidden,
    ModelRejected,
    ModelThrottled,
    ModelTimeout,
    ModelUnavailable,
    WindowExceeded,
)
from secure_openai.errors.refusal import Refused
from secure_openai.errors.request import (
    Conflict,
    LegalHold,
    LimitReached,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    RequestError,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    UnsupportedMediaType,
)
from secure_openai.errors.store import (
    AlreadyStored,
    AuditUnavailable,
    OutcomeUnknown,
    StorageFull,
    StoreError,
)
from secure_openai.errors.tree import SecureOpenAIError

__all__ = [
    "AlreadyStored",
    "AnswerCutOff",
    "AppearanceError",
    "AssumptionError",
    "AuditUnavailable",
    "ConfigurationError",
    "Conflict",
    "ContentFiltered",
    "CredentialMissing",
    "CredentialUnavailable",
    "DeliveryError",
    "DeploymentMissing",
    "DeploymentRejected",
    "DeploymentRetired",
    "DeploymentTooSmall",
    "Forbidden",
    "GatewayError",
    "IdentityError",
    "IdentityProviderUnavailable",
    "LegalHold",
    "LimitReached",
    "ManagementConflict",
    "ManagementError",
    "ManagementThrottled",
    "ManagementUnavailable",
    "MethodNotAllowed",
    "ModelError",
    "ModelForbidden",
    "ModelRejected",
    "ModelThrottled",
    "ModelTimeout",
    "ModelUnavailable",
    "NotFound",
    "NotManaged",
    "NoticeNotAccepted",
    "OutcomeUnknown",
    "Overloaded",
    "PolicyError",
    "PreconditionFailed",
    "ProofError",
    "QuotaInsufficient",
    "Refused",
    "RequestError",
    "RequestTimeout",
    "RoleMissing",
    "SecureOpenAIError",
    "SettingsError",
    "SignInFailed",
    "StartError",
    "Stopping",
    "StorageFull",
    "StoreError",
    "TooLarge",
    "TooManyRequests",
    "Unauthenticated",
    "UnsupportedMediaType",
    "WindowExceeded",
]
