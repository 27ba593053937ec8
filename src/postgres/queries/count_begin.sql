-- A row of anything: the transaction's snapshot is taken by its first query.
SELECT epoch FROM leader
