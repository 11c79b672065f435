class BaseConnector:
    def __init__(self):
        self.progress = []
        self.results = []
        self.document = {}

    def get_config(self):
        return self.document["config"]

    def get_action_identifier(self):
        return self.document["identifier"]

    def add_action_result(self, result):
        self.results.append(result)
        return result

    def save_progress(self, text, *args):
        self.progress.append(text)

    def debug_print(self, *texts):
        self.progress.extend(str(text) for text in texts)

    def run(self, document):
        """One action as the platform starts it: the parameters of its document, one by one."""
        self.document = document
        status = [self.handle_action(param) for param in document["parameters"]]
        results = [result.as_dict() for result in self.results]
        return {"status": status, "results": results, "progress": self.progress}
