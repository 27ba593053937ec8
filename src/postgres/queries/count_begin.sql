-- Any query will do: the first one of a transaction takes its snapshot.
SELECT epoch FROM leader
