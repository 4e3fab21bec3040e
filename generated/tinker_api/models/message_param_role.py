from typing import Literal

MessageParamRole = Literal["assistant", "user"]

MESSAGE_PARAM_ROLE_VALUES: set[MessageParamRole] = {
    "assistant",
    "user",
}


def check_message_param_role(value: str) -> MessageParamRole:
    if value in MESSAGE_PARAM_ROLE_VALUES:
        return value
    raise TypeError(f"Unexpected value {value!r}. Expected one of {MESSAGE_PARAM_ROLE_VALUES!r}")
