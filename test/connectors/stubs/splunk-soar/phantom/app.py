APP_SUCCESS = True
APP_ERROR = False


def is_success(status):
    return status is True


def is_fail(status):
    return status is not True
