"""The log as `eventsourcing` sees it: originators, the transcoder and the mapper between rows and events."""

from domain.log.mapper import LogMapper, OrjsonTranscoder
from domain.log.originator import join_originator, split_originator
from domain.log.record import Record

__all__ = ["LogMapper", "OrjsonTranscoder", "Record", "join_originator", "split_originator"]
