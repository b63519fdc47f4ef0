"""Where ids stand in a list of ids."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Places = npt.NDArray[np.int64]


def places(known: pd.Series, asked: pd.Series) -> Places:
    """For every id ``asked`` its first place in ``known``, -1 where it is not there; a missing id is nowhere.

    Arrow looks them up in the texts themselves: an index of pandas would make a Python object of every one.
    """
    among, ids = (pa.array(texts.astype("str"), type=pa.large_string()) for texts in (known, asked))
    found = pc.index_in(ids, value_set=among, skip_nulls=True)
    return np.asarray(found.fill_null(-1), dtype="int64")
