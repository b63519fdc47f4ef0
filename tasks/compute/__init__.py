"""Pure computations: data frames and facts in, data frames and facts out; no Prefect, SQL, GX, files or clock."""
