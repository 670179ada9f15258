kubectl exec -it primary-cluster-0 -- ping secondary-endpoint
