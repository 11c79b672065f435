class ActionResult:
    def __init__(self, param=None):
        self.param = param or {}
        self.status = None
        self.message = ""
        self.data = []
        self.summary = {}

    def set_status(self, status, message="", exception=None):
        self.status, self.message = status, message
        return status

    def get_status(self):
        return self.status

    def get_message(self):
        return self.message

    def add_data(self, item):
        self.data.append(item)

    def update_summary(self, summary):
        self.summary.update(summary)
        return self.summary

    def as_dict(self):
        return {
            "status": "success" if self.status is True else "failed",
            "message": self.message,
            "parameter": self.param,
            "data": self.data,
            "summary": self.summary,
        }
