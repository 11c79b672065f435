"""A stand-in for the `phantom` package of Splunk SOAR, which is not public: the calls that published apps use."""
