"""Reading a folder or bucket full of pictures: on this machine's cores, or on a cluster's.

    python -m digits.bulk scans/ answers/                       # every core of this machine
    python -m digits.bulk s3://bucket/scans s3://bucket/answers --cluster tcp://host:8786

The pictures are read in parts (`parts`) by worker processes (`engine`), each part into one Parquet
file beside the others. A part is named by the network and its pictures, so that a job that was
killed goes on where it was when the same command is given again.
"""
