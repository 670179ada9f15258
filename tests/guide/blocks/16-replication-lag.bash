kubectl exec -it primary-cluster-0 -- iperf3 -c secondary-endpoint
