SELECT epoch FROM leader
