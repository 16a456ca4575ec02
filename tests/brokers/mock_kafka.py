"""A Kafka cluster that lives as long as this process: librdkafka's mock, which has partitions, groups and offsets.

    python3 mock_kafka.py TOPIC:PARTITIONS...

prints the address to start from.
"""

import ctypes
import signal
import sys

_PRODUCER = 0


def main(topics):
    library = _library()
    said = ctypes.create_string_buffer(512)
    client = library.rd_kafka_new(_PRODUCER, library.rd_kafka_conf_new(), said, len(said))
    cluster = library.rd_kafka_mock_cluster_new(client, 1)
    for topic in topics:
        name, _, partitions = topic.partition(":")
        library.rd_kafka_mock_topic_create(cluster, name.encode(), int(partitions), 1)
    print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    signal.pause()


def _library():
    library = ctypes.CDLL("librdkafka.so.1")
    pointer = ctypes.c_void_p
    library.rd_kafka_conf_new.restype = pointer
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [ctypes.c_int, pointer, ctypes.c_char_p, ctypes.c_size_t]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    library.rd_kafka_mock_topic_create.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    return library


if __name__ == "__main__":
    main(sys.argv[1:])
